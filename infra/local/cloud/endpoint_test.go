package cloud_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	kvs "github.com/aws/aws-sdk-go-v2/service/cloudfrontkeyvaluestore"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awsssm "github.com/aws/aws-sdk-go-v2/service/ssm"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/keyvalue"
	"lockstep/infra/local/cloud/s3"
	"lockstep/infra/local/cloud/ssm"
)

func open(t *testing.T) (e *cloud.Endpoint, store string) {
	t.Helper()

	objects, parameters, keys := s3.New(nil), ssm.New(nil), keyvalue.New()
	objects.CreateBucket("state", false)

	if err := parameters.Put("/p", "value"); err != nil {
		t.Fatal(err)
	}

	return cloud.NewEndpoint(map[string]http.Handler{"s3": objects, "ssm": parameters,
		"cloudfront-keyvaluestore": keys}), keys.Create("route")
}

func TestEndpoint_Dispatch(t *testing.T) {
	const sigv4 = "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/"

	cases := map[string]struct {
		method, path string
		headers      map[string]string
		status       int
		says         string
	}{
		"a signed call": {"GET", "/state?list-type=2",
			map[string]string{"Authorization": sigv4 +
				"s3/aws4_request, SignedHeaders=host"}, 200, "ListBucketResult"},
		"a presigned call": {"GET", "/state?list-type=2&X-Amz-Credential=AKID%2F20260101%2Fus-east-1%2Fs3%2Faws4_request", nil, 200, "ListBucketResult"},
		"no signature":     {"GET", "/state?list-type=2", nil, 403, "AccessDenied"},
		"a torn signature": {"GET", "/state?list-type=2",
			map[string]string{"Authorization": "AWS4-HMAC-SHA256 Credential=AKID/s3"}, 403, "AccessDenied"},
		"an unknown service": {"POST", "/", map[string]string{"Authorization": sigv4 +
			"sqs/aws4_request", "X-Amz-Target": "AmazonSQS.SendMessage"}, 501, "sqs"},
		"an unknown operation": {"POST", "/", map[string]string{"Authorization": sigv4 +
			"ssm/aws4_request", "X-Amz-Target": "AmazonSSM.LabelParameterVersion"}, 400,
			"LabelParameterVersion"},
		"from another origin": {"GET", "/state?list-type=2",
			map[string]string{"Authorization": sigv4 + "s3/aws4_request",
				"Origin": "http://example.com"}, 403, "web pages"},
		"from another site": {"GET", "/state?list-type=2",
			map[string]string{"Authorization": sigv4 + "s3/aws4_request",
				"Sec-Fetch-Site": "cross-site"}, 403, "web pages"},
		"a proxy's tunnel":      {"CONNECT", "/", nil, 403, "AccessDenied"},
		"as a proxy, elsewhere": {"GET", "http://example.com/", nil, 403, "AccessDenied"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e, _ := open(t)

			r := httptest.NewRequestWithContext(t.Context(), tc.method, tc.path, strings.NewReader("{}"))
			for name, value := range tc.headers {
				r.Header.Set(name, value)
			}

			w := httptest.NewRecorder()
			e.ServeHTTP(w, r)

			if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.says) {
				t.Fatalf("answer is %d %s, want %d and %q", w.Code, w.Body, tc.status, tc.says)
			}
		})
	}
}

func TestUse_RecordsAndFails(t *testing.T) {
	e, store := open(t)

	var calls []cloud.Call

	e.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			call := cloud.CallOf(r.Context())

			calls = append(calls, call)
			if call.Operation == "PutObject" {
				w.WriteHeader(http.StatusConflict)
				_, _ = io.WriteString(w, "<Error><Code>ConditionalRequestConflict</Code></Error>")

				return
			}

			next.ServeHTTP(w, r)
		})
	})
	ctx, cfg := t.Context(), e.Config()
	objects := awss3.NewFromConfig(cfg)

	_, err := objects.PutObject(ctx, &awss3.PutObjectInput{Bucket: aws.String("state"),
		Key: aws.String("k"), Body: strings.NewReader("x")})
	if err == nil || !strings.Contains(err.Error(), "ConditionalRequestConflict") {
		t.Errorf("a failed call says %v", err)
	}

	_, err = objects.ListObjectsV2(ctx, &awss3.ListObjectsV2Input{Bucket: aws.String("state")})
	if err != nil {
		t.Error(err)
	}

	if _, err = awsssm.NewFromConfig(cfg).GetParameter(ctx,
		&awsssm.GetParameterInput{Name: aws.String("/p")}); err != nil {
		t.Error(err)
	}

	if _, err = kvs.NewFromConfig(cfg).DescribeKeyValueStore(ctx,
		&kvs.DescribeKeyValueStoreInput{KvsARN: &store}); err != nil {
		t.Error(err)
	}

	want := []cloud.Call{
		{Service: "s3", Operation: "PutObject"}, {Service: "s3", Operation: "ListObjectsV2"},
		{Service: "ssm", Operation: "GetParameter"}, {Service: "cloudfront-keyvaluestore",
			Operation: "DescribeKeyValueStore"},
	}
	if !slices.Equal(calls, want) {
		t.Errorf("calls are %v, want %v", calls, want)
	}
}

func TestClient_RespectsTheContext(t *testing.T) {
	e, _ := open(t)
	ctx, cancel := context.WithCancel(t.Context())

	e.Use(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		})
	})

	_, err := awsssm.NewFromConfig(e.Config()).GetParameter(ctx,
		&awsssm.GetParameterInput{Name: aws.String("/p")})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("a cancelled call says %v", err)
	}
}

// An unchanged binary reaches this endpoint through its environment variables.
// KeyValueStore needs HTTP_PROXY too: the SDK asks for http://ACCOUNT.127.0.0.1:PORT, which no
// resolver knows, and Go sends whatever is not loopback itself to the proxy.
func TestEndpoint_UnchangedBinary(t *testing.T) {
	e, store := open(t)

	server := httptest.NewServer(e)
	defer server.Close()

	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestUnchangedBinary$", "-test.v")
	child.Env = []string{
		"LOCKSTEP_TEST_STORE=" + store, "HOME=" + t.TempDir(), "AWS_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local",
		"AWS_ENDPOINT_URL=" + server.URL, "HTTP_PROXY=" + server.URL,
	}

	out, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestUnchangedBinary") ||
		strings.Contains(string(out), "WARN") {
		t.Fatalf("the binary: %v\n%s", err, out)
	}
}

// TestUnchangedBinary is the other process of TestEndpoint_UnchangedBinary.
func TestUnchangedBinary(t *testing.T) {
	store := os.Getenv("LOCKSTEP_TEST_STORE")
	if store == "" {
		t.Skip("runs in a process of its own")
	}

	ctx := t.Context()

	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		t.Fatal(err)
	}

	keys := kvs.NewFromConfig(cfg)

	described, err := keys.DescribeKeyValueStore(ctx, &kvs.DescribeKeyValueStoreInput{KvsARN: &store})
	if err != nil {
		t.Fatal(err)
	}

	_, err = keys.PutKey(ctx, &kvs.PutKeyInput{KvsARN: &store, Key: aws.String("route"),
		Value: aws.String("{}"), IfMatch: described.ETag})
	if err != nil {
		t.Fatal(err)
	}

	objects := awss3.NewFromConfig(cfg)

	_, err = objects.PutObject(ctx, &awss3.PutObjectInput{Bucket: aws.String("state"),
		Key: aws.String("k"), Body: strings.NewReader("x"), IfNoneMatch: aws.String("*")})
	if err != nil {
		t.Fatal(err)
	}

	got, err := objects.GetObject(ctx, &awss3.GetObjectInput{Bucket: aws.String("state"),
		Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}

	if body, err := io.ReadAll(got.Body); err != nil || string(body) != "x" {
		t.Fatalf("the object is %q, %v", body, err)
	}
}
