package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"lockstep/statemachine"
)

// session is one run of the command: its arguments, its output, and the account that it works on.
type session struct {
	ctx            context.Context
	arguments      *arguments
	stdout, stderr io.Writer
	configure      func(context.Context) (aws.Config, error)

	config   aws.Config
	settings statemachine.Settings
}

// connect finds the account, and the settings that the stack wrote into the state bucket.
func (s *session) connect() error {
	if s.arguments.StateBucket == "" {
		return invalid("no state bucket: pass --state-bucket, or set %s to the bucket that the "+
			"outputs of the stack name", statemachine.StateBucketVariable)
	}

	var err error
	if s.config, err = s.configure(s.ctx); err != nil {
		return err
	}

	data, _, err := s.read(statemachine.SettingsKey)
	if err != nil {
		return err
	}

	if data == nil {
		return invalid("s3://%s/%s: found no such object; check that this is the state bucket, and that "+
			"the stack is deployed", s.arguments.StateBucket, statemachine.SettingsKey)
	}

	if s.settings, err = statemachine.ParseSettings(data); err != nil {
		return invalid("s3://%s/%w", s.arguments.StateBucket, err)
	}

	if app := s.arguments.App; app != "" && app != s.settings.App {
		return invalid("--app: found %q, but the state bucket %s belongs to %q", app,
			s.arguments.StateBucket, s.settings.App)
	}

	if s.arguments.Bus != "" {
		s.settings.Bus = s.arguments.Bus
	}

	return nil
}

// read returns an object of the state bucket; a missing one has no ETag.
func (s *session) read(key string) (data []byte, etag string, err error) {
	out, err := s.s3().GetObject(s.ctx, &s3.GetObjectInput{Bucket: &s.arguments.StateBucket,
		Key: &key})

	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "NoSuchKey" {
		return nil, "", nil
	}

	if err == nil {
		defer out.Body.Close()

		data, err = io.ReadAll(out.Body)
	}

	if err != nil {
		return nil, "", failed(err, "read s3://%s/%s", s.arguments.StateBucket, key)
	}

	return data, aws.ToString(out.ETag), nil
}

// readJSON reads an object that the ledger wrote; found is false for a missing one.
func (s *session) readJSON(key string, into any) (found bool, err error) {
	data, etag, err := s.read(key)
	if err != nil || etag == "" {
		return false, err
	}

	if err := statemachine.Decode(data, into); err != nil {
		return false, fmt.Errorf("cannot parse s3://%s/%s: %w; run lockstep doctor",
			s.arguments.StateBucket, key, err)
	}

	return true, nil
}

// put puts an event on the bus.
func (s *session) put(source, detailType string, detail any) error {
	data, err := json.Marshal(detail)
	if err != nil {
		return err
	}

	out, err := eventbridge.NewFromConfig(s.config).PutEvents(s.ctx,
		&eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
			EventBusName: &s.settings.Bus, Source: &source, DetailType: &detailType,
			Detail: aws.String(string(data)),
		}}})
	if err == nil && out.FailedEntryCount > 0 {
		err = &smithy.GenericAPIError{Code: aws.ToString(out.Entries[0].ErrorCode),
			Message: aws.ToString(out.Entries[0].ErrorMessage)}
	}

	return failed(err, "put the event %q on bus %s", detailType, s.settings.Bus)
}

// s3 puts the bucket into the path where an endpoint is given: as a subdomain of the endpoint's
// host it need not resolve.
func (s *session) s3() *s3.Client {
	return s3.NewFromConfig(s.config, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil })
}

func (s *session) say(format string, args ...any) { fmt.Fprintf(s.stdout, format+"\n", args...) }

// configure reads the configuration as every AWS tool does. A local run takes any credentials.
func configure(ctx context.Context) (aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return cfg, fmt.Errorf("load the AWS configuration: %w", err)
	}

	if endpoint, err := url.Parse(aws.ToString(cfg.BaseEndpoint)); err == nil &&
		loopback(endpoint.Hostname()) {
		if cfg.Region == "" {
			cfg.Region = "us-east-1"
		}

		if os.Getenv("AWS_ACCESS_KEY_ID") == "" && os.Getenv("AWS_PROFILE") == "" {
			cfg.Credentials = credentials.NewStaticCredentialsProvider("local", "local", "")
		}
	}

	if cfg.Region == "" {
		return cfg, invalid("no AWS Region: set AWS_REGION, or AWS_PROFILE to a profile that has one")
	}

	cfg.Credentials = checkedCredentials{cfg.Credentials}

	return cfg, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func invalid(format string, args ...any) error {
	return statemachine.Errorf(statemachine.InvalidRelease, format, args...)
}
