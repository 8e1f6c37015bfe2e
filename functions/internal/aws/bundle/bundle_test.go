package bundle

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/s3"
)

func open(t *testing.T) (*Store, func(key, body string)) {
	service := s3.New(nil)
	service.CreateBucket("state", false)
	endpoint := cloud.NewEndpoint(map[string]http.Handler{"s3": service})

	return New(sdk.NewFromConfig(endpoint.Config()), "state"), func(key, body string) {
		t.Helper()

		if err := service.Put("state", key, s3.Object{Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRead(t *testing.T) {
	store, put := open(t)
	put("releases/v1/site.zip", "12345")

	if data, err := store.Read(t.Context(), "releases/v1/site.zip", 5); err != nil ||
		string(data) != "12345" {
		t.Errorf("got %q, %v", data, err)
	}

	if _, err := store.Read(t.Context(), "releases/v1/site.zip", 4); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}

	_, err := store.Read(t.Context(), "releases/v1/gone.zip", 5)
	if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(),
		"s3://state/releases/v1/gone.zip") {
		t.Errorf("got %v, want ErrMissing with the object's name", err)
	}
}

func TestNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, put := open(t)
		if _, err := store.Newest(t.Context()); !errors.Is(err, ErrMissing) {
			t.Errorf("an empty bucket: got %v, want ErrMissing", err)
		}

		for _, key := range []string{
			"releases/v9/release.json",
			"releases/v10/release.json",      // newer than v9, though the key sorts before it
			"releases/v11/site.zip",          // being uploaded: it has no manifest yet
			"releases/v12/site/release.json", // not a release's manifest
		} {
			put(key, "{}")
			time.Sleep(time.Minute)
		}

		if release, err := store.Newest(t.Context()); err != nil || release != "v10" {
			t.Errorf("got %q, %v; want v10", release, err)
		}
	})
}
