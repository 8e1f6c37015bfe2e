package ledger

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"lockstep/functions/internal/aws/awserr"
)

// Previous reads the newest version of an object that is accepted; the current one is a version too.
// Found is false where there is none: noncurrent versions live as long as the bucket's lifecycle says.
func (s *Store) Previous(
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

// deleted tells whether an object is missing because its current version is a delete marker.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html
func deleted(err error) bool {
	var response *awshttp.ResponseError

	return errors.As(err, &response) &&
		response.HTTPResponse().Header.Get("X-Amz-Delete-Marker") == "true"
}
