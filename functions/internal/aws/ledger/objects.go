package ledger

import (
	"context"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"lockstep/functions/internal/aws/awserr"
)

type api interface {
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	ListObjectsV2(context.Context, *s3.ListObjectsV2Input,
		...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
	ListObjectVersions(context.Context, *s3.ListObjectVersionsInput,
		...func(*s3.Options)) (*s3.ListObjectVersionsOutput, error)
}

// objects are those of the state bucket, with their versions.
type objects struct {
	client api
	bucket string
}

func (s objects) object(
	ctx context.Context, in *s3.GetObjectInput,
) (data []byte, etag string, err error) {
	out, err := s.client.GetObject(ctx, in)
	if err != nil {
		return nil, "", err
	}

	defer out.Body.Close()

	data, err = io.ReadAll(out.Body)

	return data, aws.ToString(out.ETag), err
}

// Previous reads the newest version of an object that is accepted; the current one is a version
// too. Found is false where there is none: noncurrent versions live as long as the bucket's
// lifecycle says.
func (s objects) Previous(
	ctx context.Context, key string, accept func(data []byte) bool,
) (data []byte, found bool, err error) {
	// Versions of a key come newest first, and keys that begin like it after it.
	// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
	pages := s3.NewListObjectVersionsPaginator(s.client,
		&s3.ListObjectVersionsInput{Bucket: &s.bucket, Prefix: &key})

	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, false, awserr.Wrap(err, "list the versions of s3://%s/%s", s.bucket, key)
		}

		for _, version := range page.Versions {
			if aws.ToString(version.Key) != key {
				return nil, false, nil
			}

			data, _, err := s.object(ctx, &s3.GetObjectInput{
				Bucket: &s.bucket, Key: &key, VersionId: version.VersionId,
			})
			if err != nil {
				return nil, false, awserr.Wrap(err, "read version %s of s3://%s/%s",
					aws.ToString(version.VersionId), s.bucket, key)
			}

			if accept(data) {
				return data, true, nil
			}
		}
	}

	return nil, false, nil
}
