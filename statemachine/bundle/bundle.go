// Package bundle packs a folder as a release: a zip for each layer, and a manifest that describes
// them. The bytes of a zip depend on nothing but the files, so the same folder gives the same
// digests on every machine.
package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"lockstep/statemachine"
)

// DeclarationFile is the file that names the release. The folders beside it are the release's
// layers:
//
//	lockstep.json  site/  functions/<name>/  migrations/{expand,contract,backfill}/
const DeclarationFile = "lockstep.json"

// Declaration is the content of lockstep.json. Its fields are those of the manifest.
type Declaration struct {
	Release  string                   `json:"release"`
	Sequence int64                    `json:"sequence"`
	Commit   string                   `json:"commit,omitempty"`
	Probes   []statemachine.HTTPProbe `json:"probes,omitempty"`
	// Assets is the folder of the site's immutable files, inside site/.
	Assets string `json:"assets,omitempty"`
}

// Read reads the declaration in a folder. It refuses unknown fields; Pack checks the values. Its
// errors are InvalidRelease and name the file.
func Read(dir string) (Declaration, error) {
	file := filepath.Join(dir, DeclarationFile)

	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Declaration{}, invalid(
			`%s: found no such file, expected one like {"release": "v1", "sequence": 1}`, file)
	}

	if err != nil {
		return Declaration{}, invalid("%w", err)
	}

	var d Declaration
	if err := statemachine.DecodeStrict(data, &d); err != nil {
		return Declaration{}, invalid("%s: %w", file, err)
	}

	return d, nil
}

// Pack packs a folder under its own declaration. It returns the manifest, and the zips by their
// names in it. Upload the manifest after all of them: see Encode. Its errors are InvalidRelease
// and name the file.
func Pack(dir string) (statemachine.Manifest, map[string][]byte, error) {
	d, err := Read(dir)
	if err != nil {
		return statemachine.Manifest{}, nil, err
	}

	return d.Pack(dir)
}

// Pack packs a folder under this declaration instead of its own.
func (d Declaration) Pack(dir string) (statemachine.Manifest, map[string][]byte, error) {
	layers, err := open(dir)
	if err != nil {
		return statemachine.Manifest{}, nil, err
	}
	defer layers.Close()

	p := packer{layers: layers, objects: map[string][]byte{}}
	m := statemachine.Manifest{Release: d.Release, Sequence: d.Sequence, Commit: d.Commit,
		Probes: d.Probes}
	file := filepath.Join(dir, DeclarationFile)

	if layers.has("site") {
		artifact, err := p.pack("site", "site.zip")
		if err != nil {
			return m, nil, err
		}

		m.Site = &statemachine.Site{Artifact: artifact, Assets: d.Assets}
	} else if d.Assets != "" {
		return m, nil, invalid("%s: assets: found %q, but the release has no folder site", file, d.Assets)
	}

	if m.Functions, err = p.functions(); err != nil {
		return m, nil, err
	}

	if layers.has("migrations") {
		artifact, err := p.pack("migrations", "migrations.zip", "expand", "contract", "backfill")
		if err != nil {
			return m, nil, err
		}

		m.Migrations = &artifact
	}

	// ParseManifest refuses here what the Lambdas would refuse, with the same message.
	if _, err := statemachine.ParseManifest(file, Encode(m)); err != nil {
		return m, nil, err
	}

	return m, p.objects, nil
}

// packer packs layers, and collects the zips by their names in the manifest.
type packer struct {
	*layers
	objects map[string][]byte
}

// pack packs a folder as the zip of that name. Only names the folders that may be in it; without
// any, it may hold anything.
func (p packer) pack(folder, object string, only ...string) (statemachine.Artifact, error) {
	data, err := p.layers.pack(folder, only...)
	sum := sha256.Sum256(data)
	p.objects[object] = data

	return statemachine.Artifact{Object: object, SHA256: hex.EncodeToString(sum[:])}, err
}

// functions packs the code of each function; nil if there are none.
func (p packer) functions() (map[string]statemachine.Artifact, error) {
	names, err := p.layers.functions()
	if err != nil || names == nil {
		return nil, err
	}

	functions := map[string]statemachine.Artifact{}

	for _, name := range names {
		functions[name], err = p.pack("functions/"+name, "functions/"+name+".zip")
		if err != nil {
			return nil, err
		}
	}

	return functions, nil
}

// Encode writes a manifest as release.json. The same manifest gives the same bytes.
func Encode(m statemachine.Manifest) []byte {
	var b bytes.Buffer

	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(m) // it has plain fields, and memory does not fail

	return b.Bytes()
}

func invalid(format string, args ...any) error {
	return statemachine.Errorf(statemachine.InvalidRelease, format, args...)
}

// inWords is the file system's error without the path, which our messages have already.
func inWords(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		if strings.Contains(path.Err.Error(), "escapes") {
			return errors.New(
				"found a link that leads out of the release's folder, expected only files inside it")
		}

		return path.Err
	}

	return err
}
