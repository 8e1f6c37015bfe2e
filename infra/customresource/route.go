package customresource

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	kvs "github.com/aws/aws-sdk-go-v2/service/cloudfrontkeyvaluestore"
	kvstypes "github.com/aws/aws-sdk-go-v2/service/cloudfrontkeyvaluestore/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	sm "lockstep/statemachine"
)

// firstRoute sends every viewer to the fallback.
func firstRoute(control sm.Control) ([]byte, error) {
	return json.Marshal(sm.Route{Active: control.Active, Fallback: control.Fallback})
}

// routeKey creates the route in the key-value store, where a CloudFront Function reads it.
func (p Provisioner) routeKey(ctx context.Context, store string, control sm.Control) error {
	key := aws.String(sm.RouteKey)
	// The ETag is read first, so that the write fails if a route was written after GetKey.
	described, err := p.routes.DescribeKeyValueStore(ctx,
		&kvs.DescribeKeyValueStoreInput{KvsARN: &store})
	if err != nil {
		return fmt.Errorf("describe %s: %w", store, err)
	}

	_, err = p.routes.GetKey(ctx, &kvs.GetKeyInput{KvsARN: &store, Key: key})

	var missing *kvstypes.ResourceNotFoundException

	if err == nil {
		return nil
	}

	if !errors.As(err, &missing) {
		return fmt.Errorf("read key %q of %s: %w", sm.RouteKey, store, err)
	}

	value, err := firstRoute(control)
	if err != nil {
		return err
	}

	_, err = p.routes.PutKey(ctx, &kvs.PutKeyInput{
		KvsARN: &store, IfMatch: described.ETag, Key: key, Value: aws.String(string(value)),
	})
	if err != nil {
		return fmt.Errorf("write key %q of %s: %w", sm.RouteKey, store, err)
	}

	return nil
}

// routeObject creates the route in the state bucket, where Lambda@Edge reads it. An existing route
// is overwritten only if it is stale.
func (p Provisioner) routeObject(
	ctx context.Context, bucket string, control sm.Control, stale bool,
) error {
	value, err := firstRoute(control)
	if err != nil {
		return err
	}

	in := &s3.PutObjectInput{
		Bucket: &bucket, Key: aws.String(sm.RouteObject), Body: bytes.NewReader(value),
	}
	if !stale {
		in.IfNoneMatch = aws.String("*")
	}

	err = p.putObject(ctx, in)

	var refused smithy.APIError
	if errors.As(err, &refused) && refused.ErrorCode() == "PreconditionFailed" {
		return nil
	}

	return err
}

// putObject writes a JSON object.
func (p Provisioner) putObject(ctx context.Context, in *s3.PutObjectInput) error {
	in.ContentType = aws.String("application/json")
	if _, err := p.objects.PutObject(ctx, in); err != nil {
		return fmt.Errorf("write s3://%s/%s: %w", *in.Bucket, *in.Key, err)
	}

	return nil
}
