package functions_test

import (
	"bytes"
	"context"
	"flag"
	"io"
	"maps"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"lockstep/infra/config"
	"lockstep/infra/local/cloud"
	"lockstep/infra/local/stack"
	sm "lockstep/statemachine"
)

// callsFile lists what each Lambda asks of AWS over all stories, a line each: the Lambda, the IAM
// action and the resource. The infrastructure grants that and nothing else, and has a test for it.
const callsFile = "testdata/calls.txt"

var updateCalls = flag.Bool("update-calls", false, "write "+callsFile+
	" anew; run all tests with it")

// used is every call so far.
var used = struct {
	sync.Mutex
	lines map[string]bool
}{lines: map[string]bool{}}

// recordCalls notes each call under the Lambda that makes it. In the simulation chance would
// decide what is called.
func recordCalls(s *stack.Stack) {
	tasks := map[string]sm.Task{}
	for _, task := range sm.Functions() {
		tasks[config.LambdaName(app, task)] = task
	}

	s.Cloud.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if task := tasks[caller(r.Context())]; task != "" {
				call := cloud.CallOf(r.Context())

				used.Lock()
				used.lines[strings.Join([]string{string(task), action(call), resourceOf(s.Settings, call, r)},
					" ")] = true
				used.Unlock()
			}

			next.ServeHTTP(w, r)
		})
	})
}

// caller is the Lambda in whose invocation a call is made.
func caller(ctx context.Context) string {
	invoked, ok := lambdacontext.FromContext(ctx)
	if !ok {
		return ""
	}

	_, name, _ := strings.Cut(invoked.InvokedFunctionArn, ":function:")
	name, _, _ = strings.Cut(name, ":")

	return name
}

// actions are the IAM actions whose names are not those of the operations.
var actions = map[string]string{
	"lambda:Invoke": "lambda:InvokeFunction", "s3:HeadObject": "s3:GetObject", "s3:ListObjectsV2": "s3:ListBucket", "s3:ListObjects": "s3:ListBucket",
	"s3:ListObjectVersions":  "s3:ListBucketVersions",
	"apigateway:UpdateStage": "apigateway:PATCH", "apigateway:GetStage": "apigateway:GET",
}

func action(call cloud.Call) string {
	service := map[string]string{"monitoring": "cloudwatch"}[call.Service]
	if service == "" {
		service = call.Service
	}

	name := service + ":" + call.Operation
	if other := actions[name]; other != "" {
		return other
	}

	return name
}

// resourceOf is the kind of thing that a call is about, as a policy can tell it from others.
func resourceOf(s sm.Settings, call cloud.Call, r *http.Request) string {
	if call.Operation == "DescribeExecution" || call.Operation == "StopExecution" {
		return "execution"
	}

	if call.Service != "s3" {
		return map[string]string{
			"lambda": "function", "apigateway": "stage", "ssm": parameterOf(r), "secretsmanager": "secret", "cloudfront-keyvaluestore": "route",
			"events": "bus", "scheduler": "schedule", "states": "machine", "monitoring": "*",
		}[call.Service]
	}

	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")

	kind := "site"
	if bucket == s.StateBucket {
		kind = "state"
	}

	if key == "" {
		return kind
	}

	if first, _, below := strings.Cut(key, "/"); below && kind == "state" {
		return path.Join(kind, first, "*")
	}

	if kind == "site" {
		key = "*"
	}

	return path.Join(kind, key)
}

// parameterOf tells the parameters apart, of which the body says the name.
func parameterOf(r *http.Request) string {
	if r.Header.Get("X-Amz-Target") == "" || !strings.HasPrefix(r.Header.Get("X-Amz-Target"),
		"AmazonSSM.") {
		return ""
	}

	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}

	r.Body = io.NopCloser(bytes.NewReader(body))
	if bytes.Contains(body, []byte(sm.FreezeParameter(app))) {
		return "freeze"
	}

	return "control"
}

// TestCalls is the last of the stories: what was called in them is what is listed, and nothing
// else.
func TestCalls(t *testing.T) {
	if run := flag.Lookup("test.run").Value.String(); run != "" || testing.Short() {
		t.Skip("only all stories together make all calls")
	}

	used.Lock()
	got := slices.Sorted(maps.Keys(used.lines))
	used.Unlock()

	if *updateCalls {
		if err := os.WriteFile(callsFile, []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	data, err := os.ReadFile(callsFile)
	if err != nil {
		t.Fatal(err)
	}

	want := strings.Split(strings.TrimSpace(string(data)), "\n")
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("%s: %q is called and not listed: run all tests with -update-calls, and grant it in infra/permissions.go", callsFile, line)
		}
	}

	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("%s: %q is listed and no story calls it: run all tests with -update-calls, and take the grant back", callsFile, line)
		}
	}
}
