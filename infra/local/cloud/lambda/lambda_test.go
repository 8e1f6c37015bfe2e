package lambda_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/cloud/wire"
)

// roundTripper lets the SDK talk to a handler without a socket.
type roundTripper struct{ http.Handler }

func (t roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}

	w := httptest.NewRecorder()
	t.ServeHTTP(w, r)

	return w.Result(), nil
}

// client does not retry, so that a test sees each refusal.
func client(s http.Handler) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: wire.Region, BaseEndpoint: aws.String("http://lambda"), Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret",
			""), HTTPClient: &http.Client{Transport: roundTripper{s}},
	})
}

// pack makes a deployment package of one file.
func pack(name string, content []byte) ([]byte, error) {
	var buffer bytes.Buffer

	w := zip.NewWriter(&buffer)
	header := &zip.FileHeader{Name: name, Method: zip.Deflate}
	header.SetMode(0o755)

	f, err := w.CreateHeader(header)
	if err == nil {
		_, err = f.Write(content)
	}

	err = errors.Join(err, w.Close())

	return buffer.Bytes(), err
}

func zipOf(t *testing.T, name, content string) []byte {
	t.Helper()

	data, err := pack(name, []byte(content))
	if err != nil {
		t.Fatal(err)
	}

	return data
}

// run runs a test in virtual time with a Lambda that has the function shop-orders. Both aliases
// name its version 1.
func run(t *testing.T, options lambda.Options,
	test func(t *testing.T, s *lambda.Service, c *sdk.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if options.Runner == nil {
			options.Runner = lambda.NewInProcess(nil)
		}

		s := lambda.New(options)
		defer s.Close()

		_, err := s.Create(lambda.Function{Name: "shop-orders", Zip: zipOf(t, "bootstrap", "v1")})
		if err == nil {
			_, err = s.Publish("shop-orders")
		}

		if err := errors.Join(err, s.Alias("shop-orders", "a", "1"),
			s.Alias("shop-orders", "b", "1")); err != nil {
			t.Fatal(err)
		}

		test(t, s, client(s))
	})
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}

	return ""
}

func wantCode(t *testing.T, what string, err error, want string) {
	t.Helper()

	if got := code(err); got != want {
		t.Errorf("%s: got %v, want %s", what, err, want)
	}
}

var orders = aws.String("shop-orders")

func TestUpdateFunctionCode_PublishesOnceTheCodeHasChanged(t *testing.T) {
	fetch := func(bucket, key string) ([]byte, error) {
		if bucket != "state" || key != "v2.zip" {
			return nil, errors.New("NoSuchKey")
		}

		return zipOf(t, "bootstrap", "v2"), nil
	}
	run(t, lambda.Options{Code: fetch}, func(t *testing.T, s *lambda.Service, c *sdk.Client) {
		ctx := t.Context()
		update := func(
			key string, more func(*sdk.UpdateFunctionCodeInput)) (*sdk.UpdateFunctionCodeOutput, error) {
			in := &sdk.UpdateFunctionCodeInput{FunctionName: orders, S3Bucket: aws.String("state"),
				S3Key: &key, Publish: true}
			if more != nil {
				more(in)
			}

			return c.UpdateFunctionCode(ctx, in)
		}

		before, err := c.GetFunctionConfiguration(ctx,
			&sdk.GetFunctionConfigurationInput{FunctionName: orders})
		if err != nil {
			t.Fatal(err)
		}

		_, err = update("v3.zip", nil)
		wantCode(t, "an object that is not there", err, "InvalidParameterValueException")
		_, err = update(
			"v2.zip", func(in *sdk.UpdateFunctionCodeInput) { in.RevisionId = aws.String("older") })

		var precondition *types.PreconditionFailedException
		if !errors.As(err, &precondition) {
			t.Errorf("an older RevisionId: got %v, want PreconditionFailedException", err)
		}

		dry, err := update("v2.zip", func(in *sdk.UpdateFunctionCodeInput) { in.DryRun = true })
		if err != nil || aws.ToString(dry.CodeSha256) != lambda.Digest(zipOf(t, "bootstrap", "v2")) {
			t.Fatalf("a dry run: got %+v, %v", dry, err)
		}

		if got := versions(t, c); len(got) != 2 {
			t.Fatalf("versions after refusals and a dry run: got %v, want $LATEST and 1", got)
		}

		out, err := update(
			"v2.zip", func(in *sdk.UpdateFunctionCodeInput) { in.RevisionId = before.RevisionId })
		if err != nil {
			t.Fatal(err)
		}

		if *out.Version != "2" || *out.FunctionArn != wire.ARN("lambda", "function:shop-orders:2") ||
			out.LastUpdateStatus != types.LastUpdateStatusInProgress {
			t.Errorf("got %s %s %s, want version 2, its ARN, InProgress", *out.Version, *out.FunctionArn,
				out.LastUpdateStatus)
		}

		_, err = update("v2.zip", nil)
		wantCode(t, "an update during an update", err, "ResourceConflictException")
		_, err = c.PublishVersion(ctx, &sdk.PublishVersionInput{FunctionName: orders})
		wantCode(t, "publishing during an update", err, "ResourceConflictException")

		during, _ := c.GetFunctionConfiguration(ctx,
			&sdk.GetFunctionConfigurationInput{FunctionName: orders})

		waiter := sdk.NewFunctionUpdatedV2Waiter(c)
		if err := waiter.Wait(ctx, &sdk.GetFunctionInput{FunctionName: orders}, time.Minute); err != nil {
			t.Fatal(err)
		}

		after, _ := c.GetFunctionConfiguration(ctx,
			&sdk.GetFunctionConfigurationInput{FunctionName: orders})
		if a, b, c := *before.RevisionId, *during.RevisionId, *after.RevisionId; a == b || b == c ||
			a == c {
			t.Errorf("revisions before, during and after: %s %s %s, want three", a, b, c)
		}

		again, err := update("v2.zip", nil)
		if err != nil || *again.Version != "2" {
			t.Errorf("unchanged code: got %+v, %v, want version 2 again", again, err)
		}
	})
}

func versions(t *testing.T, c *sdk.Client) []string {
	t.Helper()

	var list []string

	pages := sdk.NewListVersionsByFunctionPaginator(c,
		&sdk.ListVersionsByFunctionInput{FunctionName: orders})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}

		for _, v := range page.Versions {
			list = append(list, *v.Version)
		}
	}

	return list
}

func TestUpdateFunctionCode_RefusesAnArchiveThatClimbsOut(t *testing.T) {
	run(t, lambda.Options{}, func(t *testing.T, s *lambda.Service, c *sdk.Client) {
		for what, data := range map[string][]byte{
			"not a zip": []byte("plain"), "a path above": zipOf(t, "../bootstrap",
				"x"), "an absolute path": zipOf(t, "/bootstrap", "x"),
		} {
			_, err := c.UpdateFunctionCode(t.Context(),
				&sdk.UpdateFunctionCodeInput{FunctionName: orders, ZipFile: data})
			wantCode(t, what, err, "InvalidParameterValueException")
		}
	})
}

func TestPublishVersion_Preconditions(t *testing.T) {
	run(t, lambda.Options{}, func(t *testing.T, s *lambda.Service, c *sdk.Client) {
		ctx := t.Context()

		_, err := c.UpdateFunctionCode(ctx, &sdk.UpdateFunctionCodeInput{FunctionName: orders,
			ZipFile: zipOf(t, "bootstrap", "v2")})
		if err != nil {
			t.Fatal(err)
		}

		time.Sleep(2 * time.Second)

		_, err = c.PublishVersion(ctx, &sdk.PublishVersionInput{FunctionName: orders,
			CodeSha256: aws.String("else")})
		wantCode(t, "another digest", err, "InvalidParameterValueException")
		_, err = c.PublishVersion(ctx, &sdk.PublishVersionInput{FunctionName: orders,
			RevisionId: aws.String("older")})
		wantCode(t, "an older revision", err, "PreconditionFailedException")

		digest := lambda.Digest(zipOf(t, "bootstrap", "v2"))
		for range 2 {
			v, err := c.PublishVersion(ctx, &sdk.PublishVersionInput{FunctionName: orders,
				CodeSha256: &digest})
			if err != nil || *v.Version != "2" || v.LastUpdateStatus != types.LastUpdateStatusSuccessful {
				t.Fatalf("got %+v, %v, want version 2, Successful", v, err)
			}
		}
	})
}

func TestAlias_MovesOnlyFromTheRevisionThatWasRead(t *testing.T) {
	run(t, lambda.Options{}, func(t *testing.T, s *lambda.Service, c *sdk.Client) {
		ctx := t.Context()

		read, err := c.GetAlias(ctx, &sdk.GetAliasInput{FunctionName: aws.String(wire.ARN("lambda",
			"function:shop-orders")), Name: aws.String("a")})
		if err != nil || *read.FunctionVersion != "1" ||
			*read.AliasArn != wire.ARN("lambda", "function:shop-orders:a") {
			t.Fatalf("got %+v, %v", read, err)
		}

		_, err = c.UpdateAlias(ctx, &sdk.UpdateAliasInput{FunctionName: orders, Name: aws.String("a"),
			FunctionVersion: aws.String("9")})
		wantCode(t, "an unknown version", err, "ResourceNotFoundException")

		moved, err := c.UpdateAlias(ctx, &sdk.UpdateAliasInput{FunctionName: orders,
			Name: aws.String("a"), FunctionVersion: aws.String("$LATEST"), RevisionId: read.RevisionId})
		if err != nil || *moved.RevisionId == *read.RevisionId {
			t.Fatalf("got %+v, %v, want a new revision", moved, err)
		}

		_, err = c.UpdateAlias(ctx, &sdk.UpdateAliasInput{FunctionName: orders, Name: aws.String("a"),
			FunctionVersion: aws.String("1"), RevisionId: read.RevisionId})
		wantCode(t, "the revision of before", err, "PreconditionFailedException")
		_, err = c.CreateAlias(ctx, &sdk.CreateAliasInput{FunctionName: orders, Name: aws.String("b"),
			FunctionVersion: aws.String("1")})
		wantCode(t, "an alias that is there", err, "ResourceConflictException")
		_, err = c.CreateAlias(ctx, &sdk.CreateAliasInput{FunctionName: orders, Name: aws.String("7"),
			FunctionVersion: aws.String("1")})
		wantCode(t, "an alias like a version", err, "InvalidParameterValueException")

		if _, err = c.CreateAlias(ctx, &sdk.CreateAliasInput{FunctionName: orders, Name: aws.String("c"),
			FunctionVersion: aws.String("1")}); err != nil {
			t.Fatal(err)
		}

		list, err := c.ListAliases(ctx, &sdk.ListAliasesInput{FunctionName: orders,
			FunctionVersion: aws.String("1")})
		if err != nil || len(list.Aliases) != 2 || *list.Aliases[0].Name != "b" ||
			*list.Aliases[1].Name != "c" {
			t.Errorf("aliases of version 1: got %+v, %v, want b and c", list, err)
		}

		_, err = c.GetAlias(ctx, &sdk.GetAliasInput{FunctionName: orders, Name: aws.String("z")})
		wantCode(t, "an alias that is not there", err, "ResourceNotFoundException")
	})
}

func TestGetFunction_Names(t *testing.T) {
	run(t, lambda.Options{}, func(t *testing.T, s *lambda.Service, c *sdk.Client) {
		arn := wire.ARN("lambda", "function:shop-orders")
		for _, tc := range []struct{ name, qualifier, arn, version, code string }{
			{"shop-orders", "", arn, "$LATEST", ""},
			{"shop-orders:a", "", arn + ":a", "1", ""},
			{"shop-orders", "1", arn + ":1", "1", ""},
			{wire.Account + ":function:shop-orders", "b", arn + ":b", "1", ""},
			{arn + ":$LATEST", "", arn + ":$LATEST", "$LATEST", ""},
			{arn + ":a", "a", arn + ":a", "1", ""},
			{arn + ":a", "b", "", "", "InvalidParameterValueException"},
			{"shop-orders", "2", "", "", "ResourceNotFoundException"},
			{"shop-catalog", "", "", "", "ResourceNotFoundException"},
			{"arn:aws:lambda:eu-west-1:1:function:shop-orders", "", "", "", "ResourceNotFoundException"},
		} {
			in := &sdk.GetFunctionInput{FunctionName: &tc.name}
			if tc.qualifier != "" {
				in.Qualifier = &tc.qualifier
			}

			out, err := c.GetFunction(context.Background(), in)
			if tc.code != "" {
				wantCode(t, tc.name+" "+tc.qualifier, err, tc.code)
				continue
			}

			if err != nil || *out.Configuration.FunctionArn != tc.arn ||
				*out.Configuration.Version != tc.version {
				t.Errorf("%s %s: got %+v, %v, want %s, version %s", tc.name, tc.qualifier, out, err, tc.arn,
					tc.version)
			}
		}
	})
}

func TestDeleteFunction_KeepsWhatAnAliasNames(t *testing.T) {
	run(t, lambda.Options{}, func(t *testing.T, s *lambda.Service, c *sdk.Client) {
		ctx := t.Context()
		for range 60 { // more than a page
			zip := zipOf(t, "bootstrap", time.Now().String())
			if _, err := c.UpdateFunctionCode(ctx, &sdk.UpdateFunctionCodeInput{FunctionName: orders,
				ZipFile: zip, Publish: true}); err != nil {
				t.Fatal(err)
			}

			time.Sleep(2 * time.Second)
		}

		remove := func(qualifier string) error {
			_, err := c.DeleteFunction(ctx, &sdk.DeleteFunctionInput{FunctionName: orders,
				Qualifier: &qualifier})

			return err
		}
		wantCode(t, "a version with aliases", remove("1"), "ResourceConflictException")
		wantCode(t, "$LATEST", remove("$LATEST"), "InvalidParameterValueException")

		if err := remove("2"); err != nil {
			t.Error(err)
		}

		wantCode(t, "a version that is gone", remove("2"), "ResourceNotFoundException")

		if got := versions(t, c); len(got) != 61 || got[0] != "$LATEST" || got[2] != "3" ||
			got[60] != "61" {
			t.Errorf("got %v, want $LATEST, 1, 3 to 61", got)
		}
	})
}

func TestQuota_SharedAndOfGetFunction(t *testing.T) {
	run(t, lambda.Options{}, func(t *testing.T, s *lambda.Service, c *sdk.Client) {
		count := func(call func() error) (passed int) {
			for range 200 {
				err := call()

				var tooMany *types.TooManyRequestsException
				if err == nil {
					passed++
				} else if !errors.As(err, &tooMany) {
					t.Fatal(err)
				}
			}

			return passed
		}
		getFunction := func() error {
			_, err := c.GetFunction(t.Context(), &sdk.GetFunctionInput{FunctionName: orders})
			return err
		}

		list := func() error {
			_, err := c.ListFunctions(t.Context(), &sdk.ListFunctionsInput{})
			return err
		}
		for second := range 2 {
			if own, shared := count(getFunction), count(list); own != 100 || shared != 15 {
				t.Errorf("second %d: %d GetFunction and %d ListFunctions passed, want 100 and 15", second, own,
					shared)
			}

			time.Sleep(time.Second)
		}
	})
}
