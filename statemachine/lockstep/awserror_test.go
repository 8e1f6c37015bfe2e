package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/smithy-go"
)

func TestExplain(t *testing.T) {
	refused := &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not you"}
	operation := &smithy.OperationError{ServiceID: "S3", OperationName: "GetObject", Err: refused}

	for want, err := range map[string]error{
		"read s3://state/x: AccessDeniedException: not you; ask for the permission": failed(
			operation, "read s3://state/x"),
		"read s3://state/x: cannot get AWS credentials: AccessDeniedException: not you": failed(
			fmt.Errorf("get identity: %w", &credentialsError{operation}), "read s3://state/x"),
		"read s3://state/x: found no AWS credentials; set AWS_PROFILE": failed(
			&credentialsError{errors.New("none")}, "read s3://state/x"),
		"read s3://state/x: dial tcp: no route; check AWS_ENDPOINT_URL": failed(
			&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("no route")}, "read s3://state/x"),
		"read s3://state/x: something get identity": failed(
			errors.New("something\nget identity"), "read s3://state/x"),
		"no call at all": errors.New("no call at all"),
	} {
		if got := explain(err); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, expected %q", got, want)
		}
	}
}

// The SDK's own chain of credentials and its own transport, with nothing behind them.
func TestExplain_WhatTheSDKReturns(t *testing.T) {
	for name, value := range map[string]string{"AWS_REGION": "eu-west-1", "AWS_PROFILE": "",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE":             filepath.Join(t.TempDir(), "none"),
		"AWS_SHARED_CREDENTIALS_FILE": filepath.Join(t.TempDir(), "none"),
		"AWS_MAX_ATTEMPTS":            "1", "HTTP_PROXY": "", "http_proxy": ""} {
		t.Setenv(name, value)
	}

	for endpoint, want := range map[string]string{
		"http://192.0.2.1":   "settings.json: found no AWS credentials",
		"http://127.0.0.1:1": "connection refused; check AWS_ENDPOINT_URL",
	} {
		t.Setenv("AWS_ENDPOINT_URL", endpoint)

		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{"--state-bucket=state", "status"}, &out, &errs,
			configure); code != exitUnreachable || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: exit %d, %s, expected %q", endpoint, code, &errs, want)
		}
	}
}
