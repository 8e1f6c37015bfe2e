package release

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"testing"
)

// file is an entry of a zip that a test makes.
type file struct {
	name string
	body string
	mode fs.FileMode
}

func zipped(t testing.TB, files ...file) []byte {
	t.Helper()

	var out bytes.Buffer

	w := zip.NewWriter(&out)

	for _, f := range files {
		header := &zip.FileHeader{Name: f.name}
		if f.body != "" {
			header.Method = zip.Deflate
		}

		header.SetMode(f.mode | 0o644)

		entry, err := w.CreateHeader(header)
		if err == nil {
			_, err = entry.Write([]byte(f.body))
		}

		if err != nil {
			t.Fatal(err)
		}
	}

	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	return out.Bytes()
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func TestOpenArchive(t *testing.T) {
	data := zipped(t, file{name: "assets/", mode: fs.ModeDir}, file{name: "index.html", body: "hello"},
		file{name: "a..b/..c", body: "fine"})

	archive, err := OpenArchive("site.zip", data, digestOf(data))
	if err != nil {
		t.Fatal(err)
	}

	body, err := Unpack(archive.File[1])
	if err != nil || string(body) != "hello" {
		t.Errorf("index.html: %q (%v)", body, err)
	}
}

func TestOpenArchive_RefusesNames(t *testing.T) {
	for name, c := range map[string]struct {
		file file
		says string
	}{
		"climbs out":            {file{name: "../evil"}, "a path that leaves its folder"},
		"climbs inside":         {file{name: "a/../../evil"}, "a path that leaves its folder"},
		"climbs and comes back": {file{name: "a/../b"}, "a path that leaves its folder"},
		"absolute":              {file{name: "/etc/passwd"}, "a path that leaves its folder"},
		"a backslash":           {file{name: `..\evil`}, "a path that leaves its folder"},
		"a zero byte":           {file{name: "a\x00b"}, "a path that leaves its folder"},
		"no name":               {file{name: ""}, "a path that leaves its folder"},
		"not UTF-8":             {file{name: "a\xff"}, "a path that leaves its folder"},
		"a symbolic link": {file{name: "link", body: "/etc/passwd", mode: fs.ModeSymlink},
			"expected plain files and folders"},
		"a named pipe": {file{name: "pipe", mode: fs.ModeNamedPipe},
			"expected plain files and folders"},
		"a folder climbs": {file{name: "../", mode: fs.ModeDir}, "a path that leaves its folder"},
		"a device, nested": {file{name: "a/device", mode: fs.ModeDevice},
			"expected plain files and folders"},
	} {
		t.Run(name, func(t *testing.T) {
			data := zipped(t, file{name: "index.html"}, c.file)

			_, err := OpenArchive("site.zip", data, digestOf(data))
			if err == nil || !strings.HasPrefix(err.Error(),
				fmt.Sprintf("site.zip: %q: found ", c.file.name)) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("found %v, expected the file's name and %q", err, c.says)
			}
		})
	}
}

func TestOpenArchive_RefusesWholes(t *testing.T) {
	good := zipped(t, file{name: "index.html", body: "hello"})

	many := make([]file, MaxFiles+1)
	for i := range many {
		many[i].name = fmt.Sprint(i)
	}

	for name, c := range map[string]struct {
		data   []byte
		digest string
		says   string
	}{
		"another digest": {good, digestOf(nil), "site.zip: found SHA-256 " + digestOf(good) +
			", expected " + digestOf(nil)},
		"no zip":  {[]byte("hello"), digestOf([]byte("hello")), "site.zip: not a zip file"},
		"nothing": {nil, digestOf(nil), "site.zip: not a zip file"},
		"too many files": {zipped(t, many...), "", fmt.Sprintf("found %d files, expected at most %d",
			MaxFiles+1, MaxFiles)},
		"a huge size": {sized(t, good, MaxUnpacked+1), "", "bytes unpacked, expected less"},
		"huge sizes": {sized(t, zipped(t, file{name: "a", body: "12345"}, file{name: "b", body: "12345"}),
			MaxUnpacked, 1), "",
			"bytes unpacked, expected less"},
		"sizes that overflow": {overflowing(t), "", "bytes unpacked, expected less"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.digest == "" {
				c.digest = digestOf(c.data)
			}

			if _, err := OpenArchive("site.zip", c.data, c.digest); err == nil ||
				!strings.Contains(err.Error(), c.says) {
				t.Errorf("found %v, expected %q", err, c.says)
			}
		})
	}
}

// TestUnpack_LyingSizes has entries that hold more, or less, than they say.
func TestUnpack_LyingSizes(t *testing.T) {
	for _, size := range []uint32{2, 200} {
		data := sized(t, zipped(t, file{name: "index.html", body: strings.Repeat("hello", 20)}), size)

		archive, err := OpenArchive("site.zip", data, digestOf(data))
		if err != nil {
			t.Fatal(err)
		}

		if body, err := Unpack(archive.File[0]); err == nil ||
			!strings.HasPrefix(err.Error(), "index.html: ") {
			t.Errorf("100 bytes that say they are %d: found %d (%v)", size, len(body), err)
		}
	}
}

// overflowing is a zip whose sizes add up to 4, modulo 2^64.
func overflowing(t *testing.T) []byte {
	t.Helper()

	var out bytes.Buffer

	w := zip.NewWriter(&out)
	for i, size := range []uint64{5, math.MaxUint64} {
		if _, err := w.CreateRaw(&zip.FileHeader{Name: fmt.Sprint(i),
			UncompressedSize64: size}); err != nil {
			t.Fatal(err)
		}
	}

	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	return out.Bytes()
}

// sized writes other unpacked sizes into the directory of a zip.
func sized(t *testing.T, data []byte, sizes ...uint32) []byte {
	t.Helper()

	data = bytes.Clone(data)

	at := 0
	for _, size := range sizes {
		next := bytes.Index(data[at:], []byte("PK\x01\x02"))
		if next < 0 {
			t.Fatal("no more entries in the directory")
		}

		at += next
		binary.LittleEndian.PutUint32(data[at+24:], size)
		at += 4
	}

	return data
}

func FuzzOpenArchive(f *testing.F) {
	f.Add(zipped(f, file{name: "index.html", body: "hello"}, file{name: "assets/", mode: fs.ModeDir}))
	f.Add(zipped(f, file{name: "../evil"}))
	f.Add(zipped(f, file{name: "link", body: "x", mode: fs.ModeSymlink}))
	f.Fuzz(func(t *testing.T, data []byte) {
		archive, err := OpenArchive("site.zip", data, digestOf(data))
		if err != nil {
			return
		}

		for _, file := range archive.File {
			if name := strings.TrimSuffix(file.Name, "/"); !fs.ValidPath(name) ||
				strings.Contains(name, `\`) {
				t.Fatalf("accepted the name %q", file.Name)
			}

			if file.UncompressedSize64 > 1<<20 {
				continue
			}

			if body, err := Unpack(file); err == nil && uint64(len(body)) != file.UncompressedSize64 {
				t.Fatalf("%q: unpacked %d bytes of %d", file.Name, len(body), file.UncompressedSize64)
			}
		}
	})
}
