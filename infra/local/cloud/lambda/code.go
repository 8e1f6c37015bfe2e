package lambda

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"lockstep/infra/local/cloud/wire"
)

// maxUnzipped is the limit of AWS for an unzipped deployment package, in bytes.
const maxUnzipped = 262144000

// Digest is the CodeSha256 of a deployment package: its SHA-256 in base64.
func Digest(zip []byte) string {
	sum := sha256.Sum256(zip)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// checkZip refuses a package that cannot be unpacked, is too large, or has a path outside of it.
func checkZip(data []byte) error {
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return invalid(
			"Could not unzip uploaded file. Please check your file, then try to upload again.")
	}

	var size uint64

	for _, file := range archive.File {
		if !filepath.IsLocal(file.Name) {
			return invalid(
				"Could not unzip uploaded file: %q is not a path inside the package.", file.Name)
		}

		if size += file.UncompressedSize64; size > maxUnzipped {
			return invalid("Unzipped size must be smaller than %d bytes", maxUnzipped)
		}
	}

	return nil
}

type codeUpdate struct {
	ZipFile    []byte
	S3Bucket   string
	S3Key      string
	Publish    bool
	DryRun     bool
	RevisionId string
}

// updateFunctionCode fetches and checks the package before it takes the lock: Code may call
// another stand-in.
func (s *Service) updateFunctionCode(r *http.Request) (any, error) {
	var update codeUpdate
	if err := wire.Read(r, &update); err != nil {
		return nil, err
	}

	zip, err := s.fetch(update)
	if err != nil {
		return nil, err
	}

	if err := checkZip(zip); err != nil {
		return nil, err
	}

	return s.withFunction(func(r *http.Request, f *function, n name) (any, error) {
		if n.qualifier != "" && n.qualifier != latest {
			return nil, invalid("qualifier: found %q, but only the code of $LATEST can be updated",
				n.qualifier)
		}

		if err := f.ready(n); err != nil {
			return nil, err
		}

		if err := checkRevision(update.RevisionId, f.Latest.Status.revisionID()); err != nil {
			return nil, err
		}

		changed := f.Latest

		changed.Zip, changed.CodeSHA256 = zip, Digest(zip)
		if update.DryRun {
			return changed.configuration(n), nil
		}

		changed.Modified = time.Now()
		changed.Status = status{uuid.NewString(), uuid.NewString(), time.Now().Add(s.options.UpdateTime)}

		f.Before, f.Latest = f.Latest, changed
		if update.Publish {
			v := f.publish("")
			return v.configuration(name{n.function, v.Version}), nil
		}

		return changed.configuration(n), nil
	})(r)
}

func (s *Service) fetch(update codeUpdate) ([]byte, error) {
	switch fromS3 := update.S3Bucket != "" || update.S3Key != ""; {
	case fromS3 && update.ZipFile != nil:
		return nil, invalid(
			"Please do not provide other FunctionCode parameters when providing a ZipFile.")
	case update.ZipFile != nil:
		return update.ZipFile, nil
	case !fromS3:
		return nil, invalid("Please provide a source for function code.")
	case s.options.Code == nil:
		return nil, invalid("S3Bucket: this stand-in has no S3; send ZipFile")
	}

	zip, err := s.options.Code(update.S3Bucket, update.S3Key)
	if err != nil {
		return nil, invalid("Error occurred while GetObject. s3://%s/%s: %v", update.S3Bucket,
			update.S3Key, err)
	}

	return zip, nil
}

// ready refuses a change while an update is in progress.
func (f *function) ready(n name) error {
	if f.Latest.Status.inProgress() {
		return conflict("The operation cannot be performed at this time. "+
			"An update is in progress for resource: %s", name{function: n.function}.arn())
	}

	return nil
}
