package release

import (
	"archive/zip"
	"bytes"
	"fmt"
	"mime"
	"path"
	"strings"

	"lockstep/statemachine"
)

// Page is one file of the site, as it is written to an environment's bucket.
type Page struct {
	Path         string
	Body         []byte
	ContentType  string
	CacheControl string
	Release      string // the stamp: the release of an entry page, or the one that brought an asset
}

// Stamped is the page with a release's stamp.
func (p Page) Stamped(releaseID string) Page {
	p.Release = releaseID
	return p
}

const (
	immutable = "public, max-age=31536000, immutable"
	noCache   = "no-cache"
)

// RenderSite splits a site into assets and entry pages, in the order of the archive. The files
// below assetsPrefix are assets: they are immutable, the same in both environments, and written
// first. All others are entry pages: they get the environment's API base and the release id, and
// are written last. It fails if a file cannot be unpacked.
func RenderSite(archive *zip.Reader, assetsPrefix string, e statemachine.Environment,
	releaseID string) (assets, entries []Page, err error) {
	fill := strings.NewReplacer(
		statemachine.PlaceholderAPI, "/"+e.Stage(),
		statemachine.PlaceholderRelease, releaseID,
		statemachine.PlaceholderEnvironment, string(e),
	)

	for _, f := range archive.File {
		if f.Mode().IsDir() {
			continue
		}

		body, err := Unpack(f)
		if err != nil {
			return nil, nil, fmt.Errorf("unpack the site: %w", err)
		}

		page := Page{Path: f.Name, Body: body, ContentType: contentType(f.Name)}
		if strings.HasPrefix(f.Name, assetsPrefix) {
			page.CacheControl = immutable
			assets = append(assets, page)

			continue
		}

		page.CacheControl = noCache
		if bytes.Contains(body, []byte("%LOCKSTEP_")) {
			page.Body = []byte(fill.Replace(string(body)))
		}

		entries = append(entries, page)
	}

	return assets, entries, nil
}

// contentTypes are those that the mime package lacks without a system table, as in a Lambda.
var contentTypes = map[string]string{
	".ico": "image/x-icon", ".map": "application/json", ".txt": "text/plain; charset=utf-8",
	".webmanifest": "application/manifest+json", ".woff": "font/woff", ".woff2": "font/woff2",
}

func contentType(name string) string {
	ext := strings.ToLower(path.Ext(name))
	if known, ok := contentTypes[ext]; ok {
		return known
	}

	if known := mime.TypeByExtension(ext); known != "" {
		return known
	}

	return "application/octet-stream"
}
