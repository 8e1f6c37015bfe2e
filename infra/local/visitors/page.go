package visitors

import (
	"regexp"
	"slices"
)

var (
	metaTag = regexp.MustCompile(
		`<meta\s+name="lockstep-(release|environment|api)"\s+content="([^"]*)"`)
	assetPath = regexp.MustCompile(`="(/assets/[^"]+)"`)
	bodyStamp = regexp.MustCompile(`lockstep-release: ([\w.-]+)`)
)

// page is the content of an entry page: the meta tags of Lockstep and the assets.
type page struct {
	release, environment, api string
	assets                    []string
}

func readPage(html []byte) page {
	var p page

	for _, tag := range metaTag.FindAllSubmatch(html, -1) {
		switch value := string(tag[2]); string(tag[1]) {
		case "release":
			p.release = value
		case "environment":
			p.environment = value
		case "api":
			p.api = value
		}
	}

	for _, found := range assetPath.FindAllSubmatch(html, -1) {
		if path := string(found[1]); !slices.Contains(p.assets, path) {
			p.assets = append(p.assets, path)
		}
	}

	return p
}
