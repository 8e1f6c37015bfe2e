package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/postgres"
)

// A new process knows what the one before had told anybody, at the moment it told it.
func TestKeeper_WhoWasToldIsRight(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run-1")

	var said []string

	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	open := func(made string, anew bool) *keeper {
		t.Helper()

		k, err := openKeeper(t.Context(), dir, made, anew, say)
		if err != nil {
			t.Fatal(err)
		}

		return k
	}
	k := open("this", false)

	c := cloud.New(lambda.NewInProcess(nil), lambda.Limits{})
	defer c.Close()

	c.S3.CreateBucket("state", false)

	ctx, kill := context.WithCancel(t.Context())
	kill() // nobody writes down but who is about to be told

	defer k.keep(ctx, c, postgres.Place{})()

	for n := range 3 {
		_, err := awss3.NewFromConfig(c.Config()).PutObject(t.Context(), &awss3.PutObjectInput{
			Bucket: aws.String("state"), Key: aws.String("lock.json"), Body: strings.NewReader(fmt.Sprint("fence ", n)),
		})
		if err != nil {
			t.Fatal(err)
		}

		k := open("this", false)
		if k.found == nil {
			t.Fatal("nothing was found")
		}

		again := cloud.New(lambda.NewInProcess(nil), lambda.Limits{})
		defer again.Close()

		if err := k.load(again); err != nil {
			t.Fatal(err)
		}

		if o, _ := again.S3.Get("state", "lock.json"); string(o.Body) != fmt.Sprint("fence ", n) {
			t.Errorf("found %q, expected fence %d", o.Body, n)
		}
	}

	if said == nil || !strings.Contains(said[0], "--anew") {
		t.Errorf("said %q", said)
	}

	for name, of := range map[string]struct {
		made string
		anew bool
	}{"of other code": {"that", false}, "not wanted": {"this", true}} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}

		data, err := json.Marshal(run{Made: "this"})
		if err != nil {
			t.Fatal(err)
		}

		if err := replace(filepath.Join(dir, runFile), data); err != nil {
			t.Fatal(err)
		}

		if k := open(of.made, of.anew); k.found != nil {
			t.Errorf("%s: gone on with", name)
		}

		if _, err := os.Stat(filepath.Join(dir, runFile)); err == nil {
			t.Errorf("%s: left there", name)
		}
	}
}
