package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/s3"
)

const bucket = "state"

func open(t *testing.T) (*s3.Service, *awss3.Client) {
	t.Helper()

	service := s3.New(nil)
	service.CreateBucket(bucket, false)

	return service, client(service)
}

func client(service *s3.Service, options ...func(*awss3.Options)) *awss3.Client {
	endpoint := cloud.NewEndpoint(map[string]http.Handler{"s3": service})
	return awss3.NewFromConfig(endpoint.Config(), options...)
}

func put(t *testing.T, c *awss3.Client, key, body string,
	with ...func(*awss3.PutObjectInput)) (etag string, err error) {
	t.Helper()

	in := &awss3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key),
		Body: strings.NewReader(body)}
	for _, w := range with {
		w(in)
	}

	out, err := c.PutObject(t.Context(), in)
	if err != nil {
		return "", err
	}

	return aws.ToString(out.ETag), nil
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()

	var refusal smithy.APIError
	if !errors.As(err, &refusal) || refusal.ErrorCode() != code {
		t.Fatalf("error is %v, want code %s", err, code)
	}
}

func TestPutObject_Conditions(t *testing.T) {
	absent := func(in *awss3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }
	match := func(etag string) func(*awss3.PutObjectInput) {
		return func(in *awss3.PutObjectInput) { in.IfMatch = aws.String(etag) }
	}
	_, c := open(t)

	_, err := put(t, c, "lock", "1", match(`"whatever"`))
	wantCode(t, err, "NoSuchKey")

	first, err := put(t, c, "lock", "1", absent)
	if err != nil {
		t.Fatal(err)
	}

	_, err = put(t, c, "lock", "2", absent)
	wantCode(t, err, "PreconditionFailed")

	second, err := put(t, c, "lock", "2", match(first))
	if err != nil || second == first {
		t.Fatalf("write with the right ETag: %q after %q, %v", second, first, err)
	}

	_, err = put(t, c, "lock", "3", match(first))
	wantCode(t, err, "PreconditionFailed")

	if _, err = put(t, c, "lock", "3", match(strings.Trim(second, `"`))); err != nil {
		t.Fatalf("an ETag without its quotes: %v", err)
	}

	_, err = put(
		t, c, "lock", "4", func(in *awss3.PutObjectInput) { in.IfNoneMatch = aws.String(second) })
	wantCode(t, err, "NotImplemented")
}

func TestPutObject_RaceHasOneWinner(t *testing.T) {
	service, c := open(t)

	etag, err := put(t, c, "lock", "0")
	if err != nil {
		t.Fatal(err)
	}

	var wg sync.WaitGroup

	won := make(chan int, 16)

	for i := range 16 {
		wg.Go(func() {
			if _, err := put(t, c, "lock", fmt.Sprint("writer ", i),
				func(in *awss3.PutObjectInput) { in.IfMatch = &etag }); err == nil {
				won <- i
			}
		})
	}

	wg.Wait()

	if len(won) != 1 {
		t.Fatalf("%d writers won, want 1", len(won))
	}

	if o, _ := service.Get(bucket, "lock"); string(o.Body) != fmt.Sprint("writer ", <-won) {
		t.Fatalf("the object is %q, not what the winner wrote", o.Body)
	}
}

func TestObject_KeepsWhatWasSaidOfIt(t *testing.T) {
	service, c := open(t)

	_, err := put(t, c, "site/index.html", "<p>", func(in *awss3.PutObjectInput) {
		in.ContentType, in.CacheControl = aws.String("text/html"), aws.String("no-cache")
		in.Metadata = map[string]string{"lockstep-env": "a"}
	})
	if err != nil {
		t.Fatal(err)
	}

	out, err := c.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: aws.String(bucket),
		Key: aws.String("site/index.html")})
	if err != nil {
		t.Fatal(err)
	}

	body, err := io.ReadAll(out.Body)
	if err != nil || string(body) != "<p>" {
		t.Fatalf("body is %q, %v", body, err)
	}

	if *out.ContentType != "text/html" || *out.CacheControl != "no-cache" ||
		out.Metadata["lockstep-env"] != "a" {
		t.Fatalf("came back as %v, %v, %v", *out.ContentType, *out.CacheControl, out.Metadata)
	}

	// A new object inherits nothing of the one it replaces.
	if _, err = put(t, c, "site/index.html", "<b>"); err != nil {
		t.Fatal(err)
	}

	head, err := c.HeadObject(t.Context(), &awss3.HeadObjectInput{Bucket: aws.String(bucket),
		Key: aws.String("site/index.html")})
	if err != nil {
		t.Fatal(err)
	}

	if head.CacheControl != nil || len(head.Metadata) != 0 || *head.ContentLength != 3 {
		t.Fatalf("the new object has %v, %v, %d bytes", head.CacheControl, head.Metadata,
			*head.ContentLength)
	}

	if o, ok := service.Get(bucket, "site/index.html"); !ok || string(o.Body) != "<b>" ||
		o.ETag != *head.ETag {
		t.Fatalf("in process it is %+v, %v", o, ok)
	}
}

func TestObject_Missing(t *testing.T) {
	_, c := open(t)

	_, err := c.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: aws.String(bucket),
		Key: aws.String("none")})
	if missing := (*types.NoSuchKey)(nil); !errors.As(err, &missing) {
		t.Fatalf("GetObject says %v", err)
	}

	_, err = c.HeadObject(t.Context(), &awss3.HeadObjectInput{Bucket: aws.String(bucket),
		Key: aws.String("none")})
	if missing := (*types.NotFound)(nil); !errors.As(err, &missing) {
		t.Fatalf("HeadObject says %v", err)
	}

	_, err = c.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: aws.String("none"),
		Key: aws.String("none")})
	wantCode(t, err, "NoSuchBucket")
	_, err = c.GetObjectTagging(t.Context(), &awss3.GetObjectTaggingInput{Bucket: aws.String(bucket),
		Key: aws.String("none")})
	wantCode(t, err, "NotImplemented")
}

func TestGetObject_Range(t *testing.T) {
	_, c := open(t)
	if _, err := put(t, c, "k", "0123456789"); err != nil {
		t.Fatal(err)
	}

	out, err := c.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: aws.String(bucket),
		Key: aws.String("k"), Range: aws.String("bytes=2-4")})
	if err != nil {
		t.Fatal(err)
	}

	body, _ := io.ReadAll(out.Body)
	if string(body) != "234" || *out.ContentRange != "bytes 2-4/10" {
		t.Fatalf("range is %q, %s", body, *out.ContentRange)
	}
}

func TestListObjectsV2_Pages(t *testing.T) {
	service, c := open(t)
	for _, key := range []string{"a", "p/1", "p/2", "p/q/1", "p/q/2", "p/r&s/1", "p/z", "z"} {
		if err := service.Put(bucket, key, s3.Object{Body: []byte(key)}); err != nil {
			t.Fatal(err)
		}
	}

	cases := map[string]struct {
		prefix, delimiter string
		want              []string
	}{
		"everything": {"", "", []string{"a", "p/1", "p/2", "p/q/1", "p/q/2", "p/r&s/1", "p/z",
			"z"}},
		"below a prefix":       {"p/q/", "", []string{"p/q/1", "p/q/2"}},
		"one folder's content": {"p/", "/", []string{"p/1", "p/2", "p/q/", "p/r&s/", "p/z"}},
		"the top":              {"", "/", []string{"a", "p/", "z"}},
	}
	for name, tc := range cases {
		for size := int32(1); size <= 9; size++ {
			t.Run(fmt.Sprint(name, " by ", size), func(t *testing.T) {
				in := &awss3.ListObjectsV2Input{
					Bucket: aws.String(bucket), Prefix: &tc.prefix, Delimiter: &tc.delimiter, MaxKeys: &size,
				}

				var got []string

				for pages := awss3.NewListObjectsV2Paginator(c, in); pages.HasMorePages(); {
					page, err := pages.NextPage(t.Context())
					if err != nil {
						t.Fatal(err)
					}

					if n := int32(len(page.Contents) + len(page.CommonPrefixes)); n > size || n != *page.KeyCount {
						t.Fatalf("a page of %d has %d entries and counts %d", size, n, *page.KeyCount)
					}

					for _, o := range page.Contents {
						got = append(got, *o.Key)
					}

					for _, p := range page.CommonPrefixes {
						got = append(got, *p.Prefix)
					}
				}

				slices.Sort(got)

				if !slices.Equal(got, tc.want) {
					t.Fatalf("found %q, want %q", got, tc.want)
				}
			})
		}
	}
}

func TestDeleteObjects(t *testing.T) {
	service, c := open(t)
	for _, key := range []string{"a", "b", "c"} {
		if _, err := put(t, c, key, key); err != nil {
			t.Fatal(err)
		}
	}

	out, err := c.DeleteObjects(t.Context(), &awss3.DeleteObjectsInput{Bucket: aws.String(bucket),
		Delete: &types.Delete{
			Objects: []types.ObjectIdentifier{{Key: aws.String("a")}, {Key: aws.String("never was")}},
		}})
	if err != nil || len(out.Deleted) != 2 || len(out.Errors) != 0 {
		t.Fatalf("deleted %+v, %v", out, err)
	}

	if _, err := c.DeleteObject(t.Context(), &awss3.DeleteObjectInput{Bucket: aws.String(bucket),
		Key: aws.String("b")}); err != nil {
		t.Fatal(err)
	}

	_, err = c.DeleteObject(t.Context(), &awss3.DeleteObjectInput{Bucket: aws.String(bucket),
		Key: aws.String("c"), IfMatch: aws.String(`"stale"`)})
	wantCode(t, err, "PreconditionFailed")

	for key, want := range map[string]bool{"a": false, "b": false, "c": true} {
		if _, ok := service.Get(bucket, key); ok != want {
			t.Errorf("%s exists: %v, want %v", key, ok, want)
		}
	}
}

func TestCopyObject_Metadata(t *testing.T) {
	service, c := open(t)
	service.CreateBucket("site-b", false)

	err := service.Put(bucket, "a dir/ü+.html", s3.Object{
		Body: []byte("x"), ContentType: "text/html", CacheControl: "no-cache", Metadata: map[string]string{"lockstep-env": "a"},
	})
	if err != nil {
		t.Fatal(err)
	}

	in := &awss3.CopyObjectInput{
		Bucket: aws.String("site-b"), Key: aws.String("kept"), CopySource: aws.String(bucket +
			"/a%20dir/%C3%BC%2B.html"),
	}
	if _, err := c.CopyObject(t.Context(), in); err != nil {
		t.Fatal(err)
	}

	in.Key, in.MetadataDirective, in.Metadata = aws.String(
		"replaced"), types.MetadataDirectiveReplace, map[string]string{"lockstep-env": "b"}
	if _, err := c.CopyObject(t.Context(), in); err != nil {
		t.Fatal(err)
	}

	kept, _ := service.Get("site-b", "kept")
	if kept.CacheControl != "no-cache" || kept.Metadata["lockstep-env"] != "a" ||
		string(kept.Body) != "x" {
		t.Errorf("a plain copy is %+v", kept)
	}

	replaced, _ := service.Get("site-b", "replaced")
	if replaced.CacheControl != "" || replaced.Metadata["lockstep-env"] != "b" ||
		string(replaced.Body) != "x" {
		t.Errorf("a copy with new metadata is %+v", replaced)
	}
}

func TestObjectCreated_Emitted(t *testing.T) {
	type event struct {
		source, detailType string
		resources          []string
		detail             map[string]any
	}

	var events []event

	service := s3.New(func(source, detailType string, resources []string, detail any) {
		events = append(events, event{source, detailType, resources, detail.(map[string]any)})
	})
	service.CreateBucket("loud", true)
	service.CreateBucket("silent", false)
	c := client(service)

	for _, name := range []string{"silent", "loud"} {
		in := &awss3.PutObjectInput{Bucket: aws.String(name), Key: aws.String("releases/v1/release.json"),
			Body: strings.NewReader("{}")}
		if _, err := c.PutObject(context.Background(), in); err != nil {
			t.Fatal(err)
		}
	}

	if len(events) != 1 {
		t.Fatalf("%d events, want 1: %v", len(events), events)
	}

	e := events[0]

	object := e.detail["object"].(map[string]any)
	if e.source != "aws.s3" || e.detailType != "Object Created" ||
		e.resources[0] != "arn:aws:s3:::loud" ||
		object["key"] != "releases/v1/release.json" || object["size"] != 2 ||
		object["etag"] != "99914b932bd37a50b983c5e7c90ae93b" ||
		e.detail["reason"] != "PutObject" {
		t.Fatalf("event is %+v", e)
	}
}
