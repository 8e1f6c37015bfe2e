// Package bundle makes a release of a folder: it packs each layer into a zip whose bytes depend on
// nothing but the files, so that the same folder gives the same digests on every machine, and
// describes them in a manifest.
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

// DeclarationFile says what the release is; the folders beside it are its layers:
//
//	lockstep.json  site/  functions/<name>/  migrations/{expand,contract,backfill}/
const DeclarationFile = "lockstep.json"

// Declaration is lockstep.json.
type Declaration struct {
	Release  string                   `json:"release"`
	Sequence int64                    `json:"sequence"`
	Commit   string                   `json:"commit,omitempty"`
	Probes   []statemachine.HTTPProbe `json:"probes,omitempty"`
	// the folder of the site's immutable files
	Assets string `json:"assets,omitempty"`
}

// Read reads the declaration in a folder. What it says is checked when it is packed.
func Read(dir string) (Declaration, error) {
	file := filepath.Join(dir, DeclarationFile)

	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Declaration{}, invalid("%s: found no such file, expected one like {\"release\": \"v1\", "+
			"\"sequence\": 1}", file)
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

// Pack packs a folder as its declaration says. The objects are the zips by their names in the
// manifest; the manifest itself is none of them, since it must be uploaded after all of them: see
// Encode.
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

	m := statemachine.Manifest{Release: d.Release, Sequence: d.Sequence, Commit: d.Commit,
		Probes: d.Probes}
	objects := map[string][]byte{}

	pack := func(folder, object string, only ...string) (statemachine.Artifact, error) {
		data, err := layers.pack(folder, only...)
		sum := sha256.Sum256(data)
		objects[object] = data

		return statemachine.Artifact{Object: object, SHA256: hex.EncodeToString(sum[:])}, err
	}
	if layers.has("site") {
		artifact, err := pack("site", "site.zip")
		if err != nil {
			return m, nil, err
		}

		m.Site = &statemachine.Site{Artifact: artifact, Assets: d.Assets}
	} else if d.Assets != "" {
		return m, nil, invalid("%s: assets: found %q, but the release has no folder site",
			filepath.Join(dir, DeclarationFile), d.Assets)
	}

	functions, err := layers.functions()
	if err != nil {
		return m, nil, err
	}

	for _, name := range functions {
		if m.Functions == nil {
			m.Functions = map[string]statemachine.Artifact{}
		}

		if m.Functions[name], err = pack("functions/"+name, "functions/"+name+".zip"); err != nil {
			return m, nil, err
		}
	}

	if layers.has("migrations") {
		artifact, err := pack("migrations", "migrations.zip", "expand", "contract", "backfill")
		if err != nil {
			return m, nil, err
		}

		m.Migrations = &artifact
	}
	// What the Lambdas would refuse is refused here, in the same words.
	if _, err := statemachine.ParseManifest(filepath.Join(dir, DeclarationFile),
		Encode(m)); err != nil {
		return m, nil, err
	}

	return m, objects, nil
}

// Encode writes a manifest as release.json, always the same way.
func Encode(m statemachine.Manifest) []byte {
	var b bytes.Buffer

	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(m) // into memory, of plain fields: cannot fail

	return b.Bytes()
}

func invalid(format string, args ...any) error {
	return statemachine.Errorf(statemachine.InvalidRelease, format, args...)
}

// inWords says what the file system found, without its own repetition of the path.
func inWords(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		if strings.Contains(path.Err.Error(), "escapes") {
			return errors.New("found a link that leads out of the release's folder, expected only files " +
				"inside it")
		}

		return path.Err
	}

	return err
}
