package lambda

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// unzip unpacks a version's code into a new folder below root and returns it.
func unzip(root string, v Version) (folder string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("unzip version %s of %s: %w", v.Version, v.Function, err)
			_ = os.RemoveAll(folder)
		}
	}()

	if err := checkZip(v.Zip); err != nil {
		return "", err
	}

	archive, err := zip.NewReader(bytes.NewReader(v.Zip), int64(len(v.Zip)))
	if err != nil {
		return "", err
	}

	folder, err = os.MkdirTemp(root, v.Function+"-"+v.Version+"-")
	if err != nil {
		return "", err
	}

	if folder, err = filepath.Abs(folder); err != nil {
		return folder, err
	}

	inside, err := os.OpenRoot(folder) // no path can escape the folder
	if err != nil {
		return folder, err
	}
	defer inside.Close()

	left := int64(maxUnzipped)

	for _, file := range archive.File {
		mode := file.Mode()
		if mode.IsDir() {
			err = inside.MkdirAll(filepath.Clean(file.Name), 0o755)
		} else if !mode.IsRegular() {
			err = fmt.Errorf("%s: found %s, expected a file or a folder", file.Name, mode.Type())
		} else {
			err = unpack(inside, file, &left)
		}

		if err != nil {
			return folder, err
		}
	}

	return folder, nil
}

func unpack(inside *os.Root, file *zip.File, left *int64) error {
	if err := inside.MkdirAll(filepath.Dir(file.Name), 0o755); err != nil {
		return err
	}

	from, err := file.Open()
	if err != nil {
		return fmt.Errorf("%s: %w", file.Name, err)
	}
	defer from.Close()

	// A process that is forked meanwhile would inherit the file open for writing. The file could then
	// not be executed.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()

	to, err := inside.OpenFile(file.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, file.Mode().Perm()|0o400)
	if err != nil {
		return err
	}

	n, err := io.Copy(to, io.LimitReader(from, *left+1))
	if *left -= n; err == nil && *left < 0 {
		err = fmt.Errorf("unzipped size must be smaller than %d bytes", maxUnzipped)
	}

	if closeErr := to.Close(); err == nil {
		err = closeErr
	}

	if err != nil {
		return fmt.Errorf("%s: %w", file.Name, err)
	}

	return nil
}
