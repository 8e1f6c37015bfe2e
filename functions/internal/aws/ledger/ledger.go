// Package ledger keeps the ledger's JSON objects in the state bucket. Each is changed only by a
// conditional write, so that S3 itself is the lock that a release needs.
package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"lockstep/functions/internal/aws/awserr"
	"lockstep/statemachine"
)

// Store is the ledger in one bucket.
type Store struct{ objects }

// New opens the ledger in the bucket.
func New(client *s3.Client, bucket string) *Store { return &Store{objects{client, bucket}} }

// Get reads an object and the ETag that the next Put needs. A missing object has no ETag and
// leaves into untouched. One that was deleted has no ETag either, and into is what it was: the
// bucket keeps versions. (S3 says that an object is missing only to who may list the bucket; to
// others it answers AccessDenied.) The error is Corrupt where the object is not what the ledger
// writes.
func (s *Store) Get(ctx context.Context, key string, into any) (etag string, err error) {
	data, etag, err := s.read(ctx, key)
	if err != nil || data == nil {
		return "", err
	}

	if err := statemachine.Decode(data, into); err != nil {
		return "", statemachine.Corrupt(fmt.Sprintf("s3://%s/%s", s.bucket, key), err)
	}

	return etag, nil
}

// Put writes an object if it still has the ETag, or if there is none yet where etag is "". Whoever
// comes too late gets StaleWrite.
func (s *Store) Put(ctx context.Context, key string, value any, etag string) (string, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("write s3://%s/%s: %w", s.bucket, key, err)
	}

	input := &s3.PutObjectInput{
		Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(data),
		ContentType: aws.String("application/json"),
	}
	if etag == "" {
		input.IfNoneMatch = aws.String("*")
	} else {
		input.IfMatch = &etag
	}

	out, err := s.client.PutObject(ctx, input)
	if err == nil {
		return aws.ToString(out.ETag), nil
	}

	gone := etag != "" && missing(err) // somebody deleted what If-Match named
	if !awserr.Stale(err) && !gone {
		return "", awserr.Wrap(err, "write s3://%s/%s", s.bucket, key)
	}
	// A write that took effect and timed out meets itself when the SDK repeats it: then it was ours.
	if now, tag, readErr := s.read(ctx, key); readErr == nil && tag != "" && bytes.Equal(now, data) {
		return tag, nil
	}

	return "", statemachine.Errorf(statemachine.StaleWrite,
		"write s3://%s/%s: somebody else wrote it first (%s)",
		s.bucket, key, awserr.Code(err))
}

// List names the objects whose keys begin with prefix.
func (s *Store) List(ctx context.Context, prefix string) ([]string, error) {
	var keys []string

	pages := s3.NewListObjectsV2Paginator(s.client,
		&s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awserr.Wrap(err, "list s3://%s/%s", s.bucket, prefix)
		}

		for _, object := range page.Contents {
			keys = append(keys, aws.ToString(object.Key))
		}
	}

	return keys, nil
}

// Raw reads an object as it lies there, whatever it is. A missing one has no ETag and no data, a
// deleted one no ETag and the data of its previous version.
func (s *Store) Raw(ctx context.Context, key string) (data []byte, etag string, err error) {
	return s.read(ctx, key)
}

func (s *Store) read(ctx context.Context, key string) (data []byte, etag string, err error) {
	data, etag, err = s.object(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key})

	switch {
	case err == nil:
		return data, etag, nil
	case !missing(err):
		return nil, "", awserr.Wrap(err, "read s3://%s/%s", s.bucket, key)
	case !deleted(err):
		return nil, "", nil
	}

	data, _, err = s.Previous(ctx, key, func([]byte) bool { return true })

	return data, "", err
}
