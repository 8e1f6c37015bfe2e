// Package route reads and writes the route, the one value that the edge reads. A CloudFront
// Function reads it in a key-value store, Lambda@Edge in an object.
package route

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	kvs "github.com/aws/aws-sdk-go-v2/service/cloudfrontkeyvaluestore"
	"github.com/aws/aws-sdk-go-v2/service/cloudfrontkeyvaluestore/types"

	"lockstep/functions/internal/aws/awserr"
	"lockstep/statemachine"
)

type api interface {
	DescribeKeyValueStore(context.Context, *kvs.DescribeKeyValueStoreInput,
		...func(*kvs.Options)) (*kvs.DescribeKeyValueStoreOutput, error)
	GetKey(context.Context, *kvs.GetKeyInput, ...func(*kvs.Options)) (*kvs.GetKeyOutput, error)
	PutKey(context.Context, *kvs.PutKeyInput, ...func(*kvs.Options)) (*kvs.PutKeyOutput, error)
}

// Store is the key-value store of the distribution.
type Store struct {
	client api
	arn    string
}

// New opens the key-value store. Make the client with Endpoint among its options.
func New(client *kvs.Client, arn string) *Store { return &Store{client, arn} }

// Get reads the route; false if there is none yet.
func (s *Store) Get(ctx context.Context) (statemachine.Route, bool, error) {
	value, err := s.value(ctx)
	if err != nil || value == "" {
		return statemachine.Route{}, false, err
	}

	var r statemachine.Route
	if err := json.Unmarshal([]byte(value), &r); err != nil {
		return statemachine.Route{}, false, statemachine.Corrupt(
			fmt.Sprintf("key %q of %s", statemachine.RouteKey, s.arn), err)
	}

	return r, true, nil
}

// Put writes the route, unless the store already has it. It calls verify right before the write,
// and returns its error instead of writing. If somebody else writes meanwhile, the error is
// StaleWrite: the ETag is older than what was compared.
func (s *Store) Put(ctx context.Context, r statemachine.Route,
	verify func(context.Context) error) error {
	store, err := s.client.DescribeKeyValueStore(ctx, &kvs.DescribeKeyValueStoreInput{KvsARN: &s.arn})
	if err != nil {
		return awserr.Wrap(err, "read the ETag of %s", s.arn)
	}

	old, err := s.value(ctx)
	if err != nil {
		return err
	}

	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write key %q of %s: %w", statemachine.RouteKey, s.arn, err)
	}

	value := string(data)
	if old == value {
		return nil
	}

	if err := verify(ctx); err != nil {
		return err
	}

	_, err = s.client.PutKey(ctx, &kvs.PutKeyInput{
		KvsARN: &s.arn, IfMatch: store.ETag, Key: aws.String(statemachine.RouteKey), Value: &value,
	})
	if awserr.Stale(err) {
		// The SDK may have repeated a write that timed out after it took effect.
		if now, readErr := s.value(ctx); readErr == nil && now == value {
			return nil
		}
	}

	return awserr.Wrap(err, "write key %q of %s", statemachine.RouteKey, s.arn)
}

// value is the route's JSON; "" if there is none.
func (s *Store) value(ctx context.Context) (string, error) {
	out, err := s.client.GetKey(ctx, &kvs.GetKeyInput{KvsARN: &s.arn,
		Key: aws.String(statemachine.RouteKey)})

	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		return "", nil
	}

	if err != nil {
		return "", awserr.Wrap(err, "read key %q of %s", statemachine.RouteKey, s.arn)
	}

	return aws.ToString(out.Value), nil
}
