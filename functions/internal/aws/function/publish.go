package function

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"lockstep/functions/internal/aws/awserr"
)

const (
	latest      = "$LATEST"
	updateLimit = 5 * time.Minute // for one call of Publish
)

// Publish publishes the zip at s3://bucket/key as a version, waits until the version can be
// called, and checks its digest, which is in hexadecimal. Lambda publishes no new version of code
// that is the same as in the latest one. So a repeated call returns the same version, even if the
// first was killed half way. Its errors are those of awserr.Wrap.
func (f *Functions) Publish(ctx context.Context, name, bucket, key,
	sha256hex string) (version string, err error) {
	fn, err := f.lambda(name)
	if err != nil {
		return "", err
	}

	ctx, cancel := context.WithTimeoutCause(ctx, updateLimit,
		fmt.Errorf("not done after %s", updateLimit))
	defer cancel()

	published, err := f.update(ctx, fn, bucket, key)
	if err != nil {
		return "", err
	}

	version = aws.ToString(published.Version)

	// $LATEST refuses another update until this one is over.
	if _, err := f.settled(ctx, fn, latest); err != nil {
		return "", err
	}

	c, err := f.settled(ctx, fn, version) // until it is active, nobody can call it
	if err != nil {
		return "", err
	}

	got, err := digest(c)
	if err != nil {
		return "", fmt.Errorf("read the configuration of %s:%s: %w", fn, version, err)
	}

	if got != sha256hex {
		return "", fmt.Errorf("publish %s from s3://%s/%s: found code with SHA-256 %s in version %s, "+
			"expected %s; upload the release again", fn, bucket, key, got, version, sha256hex)
	}

	return version, nil
}

// update replaces the code and publishes it. If another update is under way, from a killed attempt
// or somebody else, it waits for its end.
func (f *Functions) update(ctx context.Context, fn, bucket,
	key string) (*lambda.UpdateFunctionCodeOutput, error) {
	for {
		if err := f.control.Wait(ctx); err != nil {
			return nil, fmt.Errorf("publish %s from s3://%s/%s: %w", fn, bucket, key, err)
		}

		out, err := f.client.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{
			FunctionName: &fn, S3Bucket: &bucket, S3Key: &key, Publish: true,
		})

		var busy *types.ResourceConflictException
		if !errors.As(err, &busy) {
			return out, awserr.Wrap(err, "publish %s from s3://%s/%s", fn, bucket, key)
		}

		if err := pause(ctx, time.Second); err != nil {
			return nil, fmt.Errorf("publish %s: wait for the update that is under way: %w", fn, err)
		}

		if _, err := f.settled(ctx, fn, latest); err != nil {
			return nil, err
		}
	}
}

// settled waits until the version is active or, for $LATEST, until its update is over.
func (f *Functions) settled(ctx context.Context, fn,
	qualifier string) (*types.FunctionConfiguration, error) {
	for delay := 250 * time.Millisecond; ; delay = min(2*delay, 2*time.Second) {
		c, err := f.configuration(ctx, fn, qualifier)
		switch {
		case err != nil:
			return nil, err
		case qualifier == latest && c.LastUpdateStatus == types.LastUpdateStatusFailed:
			return nil, fmt.Errorf("update %s: Lambda failed: %s: %s", fn, c.LastUpdateStatusReasonCode,
				aws.ToString(c.LastUpdateStatusReason))
		case c.State == types.StateFailed:
			return nil, fmt.Errorf("publish %s:%s: Lambda failed: %s: %s", fn, qualifier, c.StateReasonCode,
				aws.ToString(c.StateReason))
		case qualifier == latest && c.LastUpdateStatus != types.LastUpdateStatusInProgress,
			qualifier != latest && c.State != types.StatePending:
			return c, nil
		}

		if err := pause(ctx, delay); err != nil {
			return nil, fmt.Errorf("wait for %s:%s to be updated: %w", fn, qualifier, err)
		}
	}
}

// pause waits. Its error is the cause of ctx's end.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
