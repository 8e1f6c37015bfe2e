// Package bundle reads what CI uploaded: the manifests and zips below releases/ in the state
// bucket.
package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"lockstep/functions/internal/aws/awserr"
	"lockstep/statemachine"
)

var (
	// ErrMissing says that the object does not exist.
	ErrMissing = errors.New("there is no such object; was it uploaded?")
	// ErrTooLarge says that the object is larger than the caller allows.
	ErrTooLarge = errors.New("the object is too large")
)

type api interface {
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	ListObjectsV2(context.Context, *s3.ListObjectsV2Input,
		...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
}

// Store has the uploaded releases of one bucket.
type Store struct {
	client api
	bucket string
}

// New opens the releases in the bucket.
func New(client *s3.Client, bucket string) *Store { return &Store{client, bucket} }

// Read returns an object of at most limit bytes. Its errors are ErrMissing, ErrTooLarge, and those
// of awserr.Wrap.
func (s *Store) Read(ctx context.Context, key string, limit int64) ([]byte, error) {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key})

	var noKey *types.NoSuchKey
	if errors.As(err, &noKey) {
		return nil, statemachine.Corrupt(fmt.Sprintf("s3://%s/%s", s.bucket, key), ErrMissing)
	}

	if err != nil {
		return nil, awserr.Wrap(err, "read s3://%s/%s", s.bucket, key)
	}

	defer out.Body.Close()

	size := aws.ToInt64(out.ContentLength)
	if size > limit {
		return nil, s.tooLarge(key, size, limit)
	}

	data, err := io.ReadAll(io.LimitReader(out.Body, limit+1)) // the stated length may be wrong
	if err != nil {
		return nil, awserr.Wrap(err, "read s3://%s/%s", s.bucket, key)
	}

	if int64(len(data)) > limit {
		return nil, s.tooLarge(key, int64(len(data)), limit)
	}

	return data, nil
}

func (s *Store) tooLarge(key string, size, limit int64) error {
	return fmt.Errorf("read s3://%s/%s: found %d bytes or more, expected at most %d: %w", s.bucket,
		key, size, limit, ErrTooLarge)
}

// Newest is the release whose manifest was uploaded last. Its errors are ErrMissing if there is
// none, and those of awserr.Wrap.
func (s *Store) Newest(ctx context.Context) (release string, err error) {
	var newest time.Time

	prefix := statemachine.ReleasesPrefix

	pages := s3.NewListObjectsV2Paginator(s.client,
		&s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", awserr.Wrap(err, "list s3://%s/%s", s.bucket, prefix)
		}

		for _, object := range page.Contents {
			id, isManifest := releaseOf(aws.ToString(object.Key))

			at := aws.ToTime(object.LastModified)
			if isManifest && (release == "" || !at.Before(newest)) {
				release, newest = id, at
			}
		}
	}

	if release == "" {
		return "", fmt.Errorf("look for the newest s3://%s/%s*/release.json: %w", s.bucket, prefix,
			ErrMissing)
	}

	return release, nil
}

// releaseOf is the release whose manifest has this key; false if the key is no manifest's.
func releaseOf(key string) (string, bool) {
	id, ok := strings.CutSuffix(strings.TrimPrefix(key, statemachine.ReleasesPrefix), "/release.json")
	return id, ok && statemachine.ValidReleaseID(id)
}
