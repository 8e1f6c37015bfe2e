package release

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// Limits of an artifact: bytes of the zip, bytes unpacked, and files. Lambda takes 250 MB of
// unpacked code. A site or a set of migrations beyond these limits is a mistake or an attack.
const (
	MaxArtifact = 256 << 20
	MaxUnpacked = 1 << 30
	MaxFiles    = 50_000
)

// OpenArchive opens the zip of an artifact, after it has checked the digest, in hexadecimal, every
// path in it, and the limits. Its errors begin with name: the file and the field of the artifact.
func OpenArchive(name string, data []byte, sha256hex string) (*zip.Reader, error) {
	sum := sha256.Sum256(data)
	if found := hex.EncodeToString(sum[:]); found != sha256hex {
		return nil, fmt.Errorf("%s: found SHA-256 %s, expected %s as the manifest says", name, found,
			sha256hex)
	}

	// NewReader may refuse paths that leave the folder, depending on GODEBUG. checkEntry always does.
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if archive == nil {
		return nil, fmt.Errorf("%s: not a zip file: %w", name, err)
	}

	if len(archive.File) > MaxFiles {
		return nil, fmt.Errorf("%s: found %d files, expected at most %d", name, len(archive.File),
			MaxFiles)
	}

	var unpacked uint64

	for _, f := range archive.File {
		if err := checkEntry(f); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", name, f.Name, err)
		}

		if f.UncompressedSize64 > MaxUnpacked-unpacked { // a sum could overflow
			return nil, fmt.Errorf("%s: found more than %d bytes unpacked, expected less", name,
				int64(MaxUnpacked))
		}

		unpacked += f.UncompressedSize64
	}

	return archive, nil
}

// checkEntry refuses a path that leaves its folder, and anything but plain files and folders.
func checkEntry(f *zip.File) error {
	clean := path.Clean(strings.TrimSuffix(f.Name, "/"))
	if strings.ContainsAny(f.Name, "\\\x00") || path.IsAbs(f.Name) || !fs.ValidPath(clean) ||
		clean != strings.TrimSuffix(f.Name, "/") {
		return fmt.Errorf("found a path that leaves its folder, expected one inside it")
	}

	if mode := f.Mode(); !mode.IsRegular() && !mode.IsDir() {
		return fmt.Errorf("found a %s, expected plain files and folders", mode.Type())
	}

	return nil
}

// Unpack reads one file of a checked archive. A zip can lie about sizes: archive/zip reads at most
// the declared size, and fails if the file has another. Its errors begin with the file's path.
func Unpack(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	defer r.Close()

	data, err := io.ReadAll(io.LimitReader(r, MaxUnpacked+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}

	if len(data) > MaxUnpacked {
		return nil, fmt.Errorf("%s: found more than %d bytes, expected less", f.Name, int64(MaxUnpacked))
	}

	return data, nil
}
