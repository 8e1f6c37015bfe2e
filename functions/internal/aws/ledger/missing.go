package ledger

import (
	"errors"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"lockstep/functions/internal/aws/awserr"
)

// missing tells whether S3 says that an object is not there.
func missing(err error) bool {
	var noKey *types.NoSuchKey

	return errors.As(err, &noKey) || awserr.Is(err, "NoSuchKey", "NotFound")
}

// deleted tells whether an object is missing because its current version is a delete marker.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html
func deleted(err error) bool {
	var response *awshttp.ResponseError

	return errors.As(err, &response) &&
		response.HTTPResponse().Header.Get("X-Amz-Delete-Marker") == "true"
}
