package shop

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

var (
	placeholder = regexp.MustCompile(`{{([a-z.]+)}}`)
	accent      = regexp.MustCompile(`--accent: (#[0-9a-f]{6})`)
)

// Site builds the site of a release from the files that all releases share and those that this one
// changes. It returns the files by path. Everything below assets/ has the hash of its content in
// its name and contains the release's stamp.
func Site(release string) (map[string][]byte, error) {
	read := reader{release: release}
	theme, customer := read.own("theme.css"), read.own("customer.js")

	colour := accent.FindStringSubmatch(theme)
	if read.err == nil && colour == nil {
		return nil, fmt.Errorf("%s/site/theme.css: expected --accent with a colour of six hex digits",
			release)
	}

	stamp := "lockstep-release: " + release
	assets := map[string]string{
		"app.js":    "// " + stamp + "\n" + customer + "\n" + read.shared("app.js"),
		"style.css": "/* " + stamp + " */\n" + read.shared("style.css") + theme,
		"goods.svg": "<!-- " + stamp + " -->\n" + read.shared("goods.svg"),
		"mark.svg":  "<!-- " + stamp + " -->\n" + read.shared("mark.svg"),
	}

	page, hero := read.shared("index.html"), read.own("hero.html")
	if read.err != nil {
		return nil, read.err
	}

	assets["mark.svg"] = fill(assets["mark.svg"], map[string]string{"accent": colour[1]})

	files := map[string][]byte{}
	values := map[string]string{"hero": hero}

	for name, content := range assets {
		sum := sha256.Sum256([]byte(content))
		ext := path.Ext(name)
		values[name] = strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:5]) + ext
		files["assets/"+values[name]] = []byte(content)
	}

	files["index.html"] = []byte(fill(page, values))

	return files, nil
}

func fill(text string, values map[string]string) string {
	return placeholder.ReplaceAllStringFunc(text, func(found string) string {
		return values[placeholder.FindStringSubmatch(found)[1]]
	})
}

// reader reads the site's sources and keeps the first error.
type reader struct {
	release string
	err     error
}

func (r *reader) own(name string) string    { return r.read(r.release + "/site/" + name) }
func (r *reader) shared(name string) string { return r.read("site/" + name) }

func (r *reader) read(name string) string {
	data, err := sources.ReadFile(name)
	if r.err == nil {
		r.err = err
	}

	return string(data)
}

// migrations returns the migrations of a release and of all releases before it, as a repository
// would keep them. Those that the database already has are not run again.
func migrations(index int) (map[string][]byte, error) {
	files := map[string][]byte{}

	for _, release := range Releases()[:index+1] {
		root := release + "/migrations"

		err := fs.WalkDir(sources, root, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}

			files[strings.TrimPrefix(name, root+"/")], err = sources.ReadFile(name)

			return err
		})
		if err != nil {
			return nil, err
		}
	}

	return files, nil
}
