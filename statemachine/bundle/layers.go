package bundle

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// maxLayer bounds the bytes of a layer, unpacked. Lambda takes 250 MB of code.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxLayer = 250 << 20

// layers reads a release's folder, and nothing outside of it: the root refuses links that lead out.
type layers struct {
	*os.Root
	dir     string
	folders []string // which of the layers' folders there are
}

// open opens a release's folder. It refuses folders that are no layer's.
func open(dir string) (*layers, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, invalid("%s: %w", dir, inWords(err))
	}

	l := &layers{Root: root, dir: dir}

	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		root.Close()
		return nil, invalid("%s: %w", dir, inWords(err))
	}

	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasPrefix(name, "."), e.Type().IsRegular():
		case e.IsDir() && slices.Contains([]string{"site", "functions", "migrations"}, name):
			l.folders = append(l.folders, name)
		default: // a misspelled layer must not be left out in silence
			root.Close()

			return nil, invalid(
				"%s: expected only files and the folders site, functions and migrations; is "+
					"it misspelled?", filepath.Join(dir, name))
		}
	}

	return l, nil
}

func (l *layers) has(folder string) bool { return slices.Contains(l.folders, folder) }

// functions lists the folders in functions; none if the release has no functions.
func (l *layers) functions() ([]string, error) {
	if !l.has("functions") {
		return nil, nil
	}

	entries, err := fs.ReadDir(l.FS(), "functions")
	if err != nil {
		return nil, invalid("%s: %w", l.path("functions"), inWords(err))
	}

	var names []string

	for _, e := range entries {
		if !e.IsDir() {
			return nil, invalid("%s: found a file, expected a folder for each function",
				l.path("functions/"+e.Name()))
		}

		names = append(names, e.Name())
	}

	if names == nil {
		return nil, invalid("%s: found nothing, expected a folder for each function, or no folder "+
			"functions", l.path("functions"))
	}

	return names, nil
}

// pack zips a folder, with sorted names, a fixed time, and only the modes 0644 and 0755. Only
// names the folders that may be in it; without any, it may hold anything.
func (l *layers) pack(folder string, only ...string) ([]byte, error) {
	files, err := l.files(folder, only)
	if err != nil {
		return nil, err
	}

	if len(files) == 0 {
		return nil, invalid("%s: found no files, expected some, or no such folder", l.path(folder))
	}

	var b bytes.Buffer

	w := zip.NewWriter(&b)
	size := 0

	for _, name := range files {
		data, mode, err := l.read(name)
		if err != nil {
			return nil, err
		}

		if size += len(data); size > maxLayer {
			return nil, invalid("%s: found more than %d MB, expected less", l.path(folder), maxLayer>>20)
		}

		header := &zip.FileHeader{
			Name: strings.TrimPrefix(name, folder+"/"), Method: zip.Deflate,
			Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), // the earliest time that a zip can hold
		}
		header.SetMode(mode)

		f, err := w.CreateHeader(header)
		if err == nil {
			_, err = f.Write(data)
		}

		if err != nil {
			return nil, fmt.Errorf("pack %s: %w", l.path(name), err)
		}
	}

	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack %s: %w", l.path(folder), err)
	}

	return b.Bytes(), nil
}

// files lists the paths of a folder's files, sorted.
func (l *layers) files(folder string, only []string) ([]string, error) {
	var files []string

	err := fs.WalkDir(l.FS(), folder, func(name string, e fs.DirEntry, err error) error {
		inside := strings.TrimPrefix(name, folder+"/")

		top, _, _ := strings.Cut(inside, "/")
		switch {
		case err != nil:
			return invalid("%s: %w", l.path(name), inWords(err))
		case name == folder:
			return nil
		case only != nil && (!slices.Contains(only, top) || top == inside && !e.IsDir()):
			return invalid("%s: expected only the folders %s; is it misspelled?", l.path(name),
				strings.Join(only, ", "))
		case strings.Contains(name, `\`):
			return invalid(`%s: found a name with "\", which is a separator on Windows; rename it`,
				l.path(name))
		case !e.IsDir():
			files = append(files, name)
		}

		return nil
	})

	slices.Sort(files)

	return files, err
}

// read reads a file, or the file to which a link leads. It returns the mode for the zip.
func (l *layers) read(name string) ([]byte, fs.FileMode, error) {
	info, err := l.Stat(name)
	switch {
	case err != nil:
		return nil, 0, invalid("%s: %w", l.path(name), inWords(err))
	case info.IsDir():
		return nil, 0, invalid("%s: found a link to a folder, expected a folder; copy it", l.path(name))
	case !info.Mode().IsRegular():
		return nil, 0, invalid("%s: found a %s, expected a file", l.path(name), info.Mode().Type())
	case info.Size() > maxLayer:
		return nil, 0, invalid("%s: found %d MB, expected at most %d", l.path(name), info.Size()>>20,
			maxLayer>>20)
	}

	data, err := fs.ReadFile(l.FS(), name)
	if err != nil {
		return nil, 0, invalid("%s: %w", l.path(name), inWords(err))
	}

	// Windows has no executable bit, and Lambda needs it on bootstrap.
	if path.Base(name) == "bootstrap" || info.Mode()&0o111 != 0 {
		return data, 0o755, nil
	}

	return data, 0o644, nil
}

// path is where the file is on this machine, for messages.
func (l *layers) path(name string) string { return filepath.Join(l.dir, filepath.FromSlash(name)) }
