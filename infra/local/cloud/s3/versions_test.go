package s3_test

import (
	"errors"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"lockstep/infra/local/cloud/s3"
)

func versioned(t *testing.T) (*s3.Service, *awss3.Client) {
	t.Helper()

	service, c := open(t)
	service.SetVersioning(bucket)

	return service, c
}

func remove(t *testing.T, c *awss3.Client, key, version string) {
	t.Helper()

	in := &awss3.DeleteObjectInput{Bucket: aws.String(bucket), Key: &key}
	if version != "" {
		in.VersionId = &version
	}

	if _, err := c.DeleteObject(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, c *awss3.Client, key, version string) (string, error) {
	t.Helper()

	in := &awss3.GetObjectInput{Bucket: aws.String(bucket), Key: &key}
	if version != "" {
		in.VersionId = &version
	}

	out, err := c.GetObject(t.Context(), in)
	if err != nil {
		return "", err
	}

	body, err := io.ReadAll(out.Body)

	return string(body), err
}

// header is one of a refusal.
func header(t *testing.T, err error, name string) string {
	t.Helper()

	var response *awshttp.ResponseError
	if !errors.As(err, &response) {
		t.Fatalf("found %v, expected an answer of S3", err)
	}

	return response.HTTPResponse().Header.Get(name)
}

func listed(t *testing.T, c *awss3.Client, prefix string, pageSize int32,
) (ids, markers []string) {
	t.Helper()

	pages := awss3.NewListObjectVersionsPaginator(c, &awss3.ListObjectVersionsInput{
		Bucket: aws.String(bucket), Prefix: &prefix, MaxKeys: &pageSize,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}

		for _, v := range page.Versions {
			ids = append(ids, aws.ToString(v.VersionId))
		}

		for _, m := range page.DeleteMarkers {
			markers = append(markers, aws.ToString(m.VersionId))
		}
	}

	return ids, markers
}

// A deleted object has a delete marker: it is missing, says so, and may be written as if it were not
// there; its versions are still to be had.
func TestVersions_Deleted(t *testing.T) {
	_, c := versioned(t)

	for _, body := range []string{"one", "two"} {
		if _, err := put(t, c, "lock", body); err != nil {
			t.Fatal(err)
		}
	}

	remove(t, c, "lock", "")

	_, err := get(t, c, "lock", "")
	wantCode(t, err, "NoSuchKey")

	if header(t, err, "x-amz-delete-marker") != "true" {
		t.Error("S3 does not say that it was deleted")
	}

	ids, markers := listed(t, c, "lock", 1)
	if len(ids) != 2 || len(markers) != 1 {
		t.Fatalf("found the versions %v and the markers %v", ids, markers)
	}

	if body, err := get(t, c, "lock", ids[0]); err != nil || body != "two" {
		t.Errorf("the newest version is %q, %v", body, err)
	}

	_, err = get(t, c, "lock", markers[0])
	wantCode(t, err, "MethodNotAllowed")

	_, err = put(t, c, "lock", "three", func(in *awss3.PutObjectInput) { in.IfMatch = aws.String("*") })
	wantCode(t, err, "NoSuchKey")

	if _, err = put(t, c, "lock", "three", func(in *awss3.PutObjectInput) {
		in.IfNoneMatch = aws.String("*")
	}); err != nil {
		t.Errorf("a delete marker keeps from writing: %v", err)
	}
}

// What was never there has no marker.
func TestVersions_Missing(t *testing.T) {
	_, c := versioned(t)

	_, err := get(t, c, "lock", "")
	wantCode(t, err, "NoSuchKey")

	if header(t, err, "x-amz-delete-marker") != "" {
		t.Error("S3 says that it was deleted")
	}

	_, err = get(t, c, "lock", "v1")
	wantCode(t, err, "NoSuchVersion")
}

// A version that is deleted by its id is gone for good, and the one before it is current.
func TestVersions_DeletedForGood(t *testing.T) {
	_, c := versioned(t)

	for _, body := range []string{"one", "two"} {
		if _, err := put(t, c, "lock", body); err != nil {
			t.Fatal(err)
		}
	}

	ids, _ := listed(t, c, "lock", 1000)
	remove(t, c, "lock", ids[0])

	if body, err := get(t, c, "lock", ""); err != nil || body != "one" {
		t.Errorf("found %q, %v, expected the version before", body, err)
	}

	_, err := get(t, c, "lock", ids[0])
	wantCode(t, err, "NoSuchVersion")
}

// Without versioning what is deleted is gone.
func TestVersions_Off(t *testing.T) {
	_, c := open(t)

	if _, err := put(t, c, "lock", "one"); err != nil {
		t.Fatal(err)
	}

	remove(t, c, "lock", "")

	_, err := get(t, c, "lock", "")
	wantCode(t, err, "NoSuchKey")

	if header(t, err, "x-amz-delete-marker") != "" {
		t.Error("a bucket without versioning has a delete marker")
	}
}

// Who goes on later finds the versions too.
func TestVersions_AreKept(t *testing.T) {
	service, c := versioned(t)

	for _, body := range []string{"one", "two"} {
		if _, err := put(t, c, "lock", body); err != nil {
			t.Fatal(err)
		}
	}

	remove(t, c, "lock", "")

	bodies := map[string][]byte{}
	state := service.Save(bodies)
	later := s3.New(nil)

	if err := later.Load(state, func(digest string) ([]byte, error) {
		return bodies[digest], nil
	}); err != nil {
		t.Fatal(err)
	}

	again := client(later)

	ids, markers := listed(t, again, "lock", 1000)
	if len(ids) != 2 || len(markers) != 1 {
		t.Fatalf("found the versions %v and the markers %v", ids, markers)
	}

	if body, err := get(t, again, "lock", ids[1]); err != nil || body != "one" {
		t.Errorf("the oldest version is %q, %v", body, err)
	}

	if _, err := get(t, again, "lock", ""); err == nil {
		t.Error("found a deleted object")
	}
}
