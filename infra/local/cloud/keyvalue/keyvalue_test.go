package keyvalue_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	kvs "github.com/aws/aws-sdk-go-v2/service/cloudfrontkeyvaluestore"
	"github.com/aws/aws-sdk-go-v2/service/cloudfrontkeyvaluestore/types"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/keyvalue"
)

func open(t *testing.T) (service *keyvalue.Service, c *kvs.Client, arn string) {
	t.Helper()

	service = keyvalue.New()
	arn = service.Create("shop-route")
	c = kvs.NewFromConfig(
		cloud.NewEndpoint(map[string]http.Handler{"cloudfront-keyvaluestore": service}).Config())

	return service, c, arn
}

func etag(t *testing.T, c *kvs.Client, arn string) *string {
	t.Helper()

	out, err := c.DescribeKeyValueStore(t.Context(), &kvs.DescribeKeyValueStoreInput{KvsARN: &arn})
	if err != nil {
		t.Fatal(err)
	}

	return out.ETag
}

func TestPutKey_IfMatch(t *testing.T) {
	_, c, arn := open(t)
	first := etag(t, c, arn)
	in := &kvs.PutKeyInput{KvsARN: &arn, Key: aws.String("a/route"), Value: aws.String(`{"weight":1}`),
		IfMatch: first}

	out, err := c.PutKey(t.Context(), in)
	if err != nil || *out.ItemCount != 1 || *out.ETag == *first || *out.ETag != *etag(t, c, arn) {
		t.Fatalf("put answers %+v, %v", out, err)
	}
	// The version is the whole store's: another key conflicts as well.
	_, err = c.PutKey(t.Context(), &kvs.PutKeyInput{KvsARN: &arn, Key: aws.String("other"),
		Value: aws.String("x"), IfMatch: first})

	stale := (*types.ValidationException)(nil)
	if !errors.As(err, &stale) || !strings.Contains(stale.ErrorMessage(), "Pre-Condition failed") {
		t.Fatalf("a stale ETag says %v", err)
	}

	got, err := c.GetKey(t.Context(), &kvs.GetKeyInput{KvsARN: &arn, Key: aws.String("a/route")})
	if err != nil || *got.Value != `{"weight":1}` {
		t.Fatalf("the key is %+v, %v", got, err)
	}
}

func TestDeleteKey_Missing(t *testing.T) {
	_, c, arn := open(t)
	before := etag(t, c, arn)

	out, err := c.DeleteKey(t.Context(), &kvs.DeleteKeyInput{KvsARN: &arn, Key: aws.String("none"),
		IfMatch: before})
	if err != nil || *out.ETag != *before {
		t.Fatalf("deleting what is not there answers %+v, %v; the ETag was %s", out, err, *before)
	}

	missing := (*types.ResourceNotFoundException)(nil)
	if _, err := c.GetKey(t.Context(), &kvs.GetKeyInput{KvsARN: &arn,
		Key: aws.String("none")}); !errors.As(err, &missing) {
		t.Errorf("a missing key says %v", err)
	}

	other := "arn:aws:cloudfront::123456789012:key-value-store/none"
	if _, err := c.GetKey(t.Context(), &kvs.GetKeyInput{KvsARN: &other,
		Key: aws.String("k")}); !errors.As(err, &missing) {
		t.Errorf("a missing store says %v", err)
	}
}

func TestUpdateKeys_AllOrNothing(t *testing.T) {
	service, c, arn := open(t)
	if err := service.Put(arn, "old", "1"); err != nil {
		t.Fatal(err)
	}

	in := &kvs.UpdateKeysInput{
		KvsARN: &arn, IfMatch: etag(t, c, arn),
		Puts: []types.PutKeyRequestListItem{{Key: aws.String("a"), Value: aws.String("1")},
			{Key: aws.String("b"), Value: aws.String(strings.Repeat("x", 1025))}},
		Deletes: []types.DeleteKeyRequestListItem{{Key: aws.String("old")}},
	}

	_, err := c.UpdateKeys(t.Context(), in)
	if tooLong := (*types.ValidationException)(nil); !errors.As(err, &tooLong) {
		t.Fatalf("a value that is too long says %v", err)
	}

	if keys := list(t, c, arn); !slices.Equal(keys, []string{"old"}) {
		t.Fatalf("a refused update left %q", keys)
	}

	in.Puts[1].Value = aws.String(strings.Repeat("x", 1024))
	if _, err := c.UpdateKeys(t.Context(), in); err != nil {
		t.Fatal(err)
	}

	if keys := list(t, c, arn); !slices.Equal(keys, []string{"a", "b"}) {
		t.Fatalf("the update left %q", keys)
	}

	_, err = c.PutKey(t.Context(), &kvs.PutKeyInput{
		KvsARN: &arn, Key: aws.String(strings.Repeat("k", 513)), Value: aws.String("x"), IfMatch: etag(t,
			c, arn),
	})
	if tooLong := (*types.ValidationException)(nil); !errors.As(err, &tooLong) {
		t.Fatalf("a key that is too long says %v", err)
	}
}

// list reads one key a page.
func list(t *testing.T, c *kvs.Client, arn string) (keys []string) {
	t.Helper()

	for pages := kvs.NewListKeysPaginator(c, &kvs.ListKeysInput{KvsARN: &arn,
		MaxResults: aws.Int32(1)}); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}

		for _, item := range page.Items {
			keys = append(keys, *item.Key)
		}
	}

	return keys
}

func TestRead_AsOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, c, arn := open(t)
		if err := service.Put(arn, "route", "provisioned"); err != nil {
			t.Fatal(err)
		}

		start := time.Now()

		time.Sleep(time.Minute)

		out, err := c.PutKey(t.Context(), &kvs.PutKeyInput{KvsARN: &arn, Key: aws.String("route"),
			Value: aws.String("later"), IfMatch: etag(t, c, arn)})
		if err != nil {
			t.Fatal(err)
		}

		time.Sleep(time.Minute)

		if _, err := c.DeleteKey(t.Context(), &kvs.DeleteKeyInput{KvsARN: &arn, Key: aws.String("route"),
			IfMatch: out.ETag}); err != nil {
			t.Fatal(err)
		}

		cases := map[time.Duration]string{
			-time.Hour: "provisioned", 0: "provisioned", 59 * time.Second: "provisioned",
			time.Minute: "later", 119 * time.Second: "later", 2 * time.Minute: "", time.Hour: "",
		}
		for after, want := range cases {
			if value, ok := service.Read(arn, "route", start.Add(after)); value != want ||
				ok != (want != "") {
				t.Errorf("%v after the start the key is %q, %v, want %q", after, value, ok, want)
			}
		}
	})
}
