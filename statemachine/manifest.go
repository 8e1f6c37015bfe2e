package statemachine

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"sort"
	"strings"
)

// Manifest describes one version of the whole application: releases/<id>/release.json. A layer
// that it does not name stays as it is.
type Manifest struct {
	Release    string              `json:"release"`
	Sequence   int64               `json:"sequence"`
	Commit     string              `json:"commit,omitempty"`
	Site       *Site               `json:"site,omitempty"`
	Functions  map[string]Artifact `json:"functions,omitempty"`
	Migrations *Artifact           `json:"migrations,omitempty"`
	Probes     []HTTPProbe         `json:"probes,omitempty"`
}

// Artifact is a zip beside the manifest, named relative to it, with the digest of its bytes.
type Artifact struct {
	Object string `json:"object"`
	SHA256 string `json:"sha256"` // hex
}

// Site is the static site. Files below Assets have a hash in their names and never change; every
// other file is an entry page.
type Site struct {
	Artifact
	Assets string `json:"assets,omitempty"` // default "assets/"
}

// AssetsPrefix is the folder of immutable files.
func (s Site) AssetsPrefix() string {
	if s.Assets == "" {
		return "assets/"
	}

	return s.Assets
}

// HTTPProbe is a call that must succeed in the active environment before any viewer gets there.
// Path is below the API base.
type HTTPProbe struct {
	Path     string `json:"path"`
	Status   int    `json:"status,omitempty"` // default 200
	Contains string `json:"contains,omitempty"`
}

// Artifacts lists every artifact of the release by the field that names it, in a fixed order.
func (m Manifest) Artifacts() []NamedArtifact {
	var list []NamedArtifact
	if m.Site != nil {
		list = append(list, NamedArtifact{"site", m.Site.Artifact})
	}

	for _, name := range m.FunctionNames() {
		list = append(list, NamedArtifact{"functions." + name, m.Functions[name]})
	}

	if m.Migrations != nil {
		list = append(list, NamedArtifact{"migrations", *m.Migrations})
	}

	return list
}

// NamedArtifact is an artifact with the field of the manifest that names it.
type NamedArtifact struct {
	Field string
	Artifact
}

// FunctionNames lists the functions that the release brings, sorted.
func (m Manifest) FunctionNames() []string {
	names := make([]string, 0, len(m.Functions))
	for name := range m.Functions {
		names = append(names, name)
	}

	sort.Strings(names)

	return names
}

// Key is the object key of one of the release's artifacts.
func (m Manifest) Key(a Artifact) string { return ReleasesPrefix + m.Release + "/" + a.Object }

var (
	releasePattern  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$`)
	functionPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$`)
	sha256Pattern   = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// ValidReleaseID tells whether id can name a release: one name in the ledger is Repair's own.
func ValidReleaseID(id string) bool { return releasePattern.MatchString(id) && id != RepairRelease }

// ParseManifest reads and checks a manifest. Its errors name the file and the field, what was
// found and what is expected; they carry the name InvalidRelease.
func ParseManifest(file string, data []byte) (Manifest, error) {
	var m Manifest
	if err := DecodeStrict(data, &m); err != nil {
		return Manifest{}, Errorf(InvalidRelease, "%s: %w", file, err)
	}

	if err := m.check(); err != nil {
		return Manifest{}, Errorf(InvalidRelease, "%s: %w", file, err)
	}

	return m, nil
}

func (m Manifest) check() error {
	if !ValidReleaseID(m.Release) {
		return fmt.Errorf("release: found %q, expected 1 to 40 letters, digits, '.', '_' or '-', and "+
			"not %q", m.Release, RepairRelease)
	}

	if m.Sequence < 1 {
		return fmt.Errorf("sequence: found %d, expected a number that grows with every merge, from 1",
			m.Sequence)
	}

	if m.Site == nil && len(m.Functions) == 0 && m.Migrations == nil {
		return errors.New("site, functions, migrations: found none of them, expected at least one")
	}

	for name := range m.Functions {
		if !functionPattern.MatchString(name) {
			return fmt.Errorf("functions.%s: found a name of another form, expected 1 to 40 letters, "+
				"digits, '_' or '-'", name)
		}
	}

	for _, a := range m.Artifacts() {
		if err := a.check(); err != nil {
			return err
		}
	}

	if m.Site != nil && m.Site.Assets != "" && (!strings.HasSuffix(m.Site.Assets, "/") ||
		!inside(m.Site.Assets)) {
		return fmt.Errorf("site.assets: found %q, expected a folder that ends in '/'", m.Site.Assets)
	}

	for i, p := range m.Probes {
		if !strings.HasPrefix(p.Path, "/") {
			return fmt.Errorf("probes[%d].path: found %q, expected a path below the API base that begins "+
				"with '/'", i, p.Path)
		}

		if p.Status != 0 && (p.Status < 100 || p.Status > 599) {
			return fmt.Errorf("probes[%d].status: found %d, expected an HTTP status", i, p.Status)
		}
	}

	return nil
}

func (a NamedArtifact) check() error {
	if a.Object == "" || !inside(a.Object) {
		return fmt.Errorf("%s.object: found %q, expected a path inside the release's folder", a.Field,
			a.Object)
	}

	if !sha256Pattern.MatchString(a.SHA256) {
		return fmt.Errorf("%s.sha256: found %q, expected 64 lower-case hexadecimal digits", a.Field,
			a.SHA256)
	}

	return nil
}

// inside tells whether a slash-separated path stays in the folder it is relative to.
func inside(p string) bool {
	clean := path.Clean(p)

	return !strings.ContainsAny(p, "\\\x00") && !path.IsAbs(p) && clean != ".." &&
		!strings.HasPrefix(clean, "../") &&
		(clean == p || clean+"/" == p)
}
