package main

import (
	"archive/zip"
	"bytes"
	"io"
	"regexp"
	"strings"
	"sync"

	sm "lockstep/statemachine"
)

// builds finds out as which release each layer of a release was built. They differ where a release
// contains an earlier release's build, as a copied bundle does: its code and assets then have the
// earlier stamp.
type builds struct {
	object  func(key string) []byte // in the state bucket
	carries func() map[sm.Environment]sm.EnvironmentState

	mu    sync.Mutex
	known map[string]string
}

// of is the release as which a layer was built. The layer is a function's name, or the "assets" of
// the site.
func (b *builds) of(release, layer string) string {
	b.mu.Lock()
	defer b.mu.Unlock()

	key := release + " " + layer

	stamp, ok := b.known[key]
	if !ok {
		if stamp, ok = b.read(b.bringer(release, layer), layer); ok {
			if b.known == nil {
				b.known = map[string]string{}
			}

			b.known[key] = stamp
		}
	}

	return stamp
}

// bringer is the release that brought a layer: an earlier one, if this one did not change the
// layer.
func (b *builds) bringer(release, layer string) string {
	for _, c := range b.carries() {
		if c.Release != release {
			continue
		}

		if layer != "site" && layer != "assets" {
			return c.Functions[layer].Release
		}

		if c.Site != nil {
			return c.Site.Release
		}
	}

	return release
}

// read finds the stamp in a release's artifact. ok is false if the release has no manifest yet.
func (b *builds) read(release, layer string) (stamp string, ok bool) {
	m, err := sm.ParseManifest(release, b.object(sm.ManifestKey(release)))
	if err != nil {
		return release, false
	}

	switch {
	case layer == "assets" && m.Site != nil:
		return b.search(m, m.Site.Artifact, m.Site.AssetsPrefix(), assetStamp, release), true
	case layer != "site" && layer != "assets":
		return b.search(m, m.Functions[layer], "bootstrap", codeStamp, release), true
	}

	return release, true
}

var (
	assetStamp = regexp.MustCompile(`lockstep-release: ([\w.-]+)`)
	codeStamp  = regexp.MustCompile(`lockstep-build:([\w.-]+);`)
)

// search finds a stamp in the files of a zip whose names begin with the prefix.
func (b *builds) search(
	m sm.Manifest, a sm.Artifact, prefix string, stamp *regexp.Regexp, otherwise string,
) string {
	data := b.object(m.Key(a))

	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return otherwise
	}

	for _, f := range archive.File {
		if !strings.HasPrefix(f.Name, prefix) {
			continue
		}

		r, err := f.Open()
		if err != nil {
			continue
		}

		content, err := io.ReadAll(r)
		r.Close()

		if found := stamp.FindSubmatch(content); err == nil && found != nil {
			return string(found[1])
		}
	}

	return otherwise
}
