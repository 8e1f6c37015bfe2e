package site

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"lockstep/functions/internal/release"
	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/s3"
	"lockstep/statemachine"
)

func open() (*Sites, *s3.Service) {
	service := s3.New(nil)

	buckets := map[statemachine.Environment]string{statemachine.A: "site-a", statemachine.B: "site-b"}
	for _, bucket := range buckets {
		service.CreateBucket(bucket, false)
	}

	endpoint := cloud.NewEndpoint(map[string]http.Handler{"s3": service})

	return New(sdk.NewFromConfig(endpoint.Config()), buckets), service
}

func TestSites(t *testing.T) {
	sites, service := open()

	page := release.Page{
		Path: "index.html", Body: []byte("<h1>v2"), ContentType: "text/html", CacheControl: "no-cache", Release: "v2",
	}
	for range 2 { // a step may run twice
		if err := sites.Put(t.Context(), statemachine.B, page); err != nil {
			t.Fatal(err)
		}
	}

	object, _ := service.Get("site-b", "index.html")
	if string(object.Body) != "<h1>v2" || object.ContentType != "text/html" ||
		object.CacheControl != "no-cache" {
		t.Errorf("the bucket has %q as %s, %s", object.Body, object.ContentType, object.CacheControl)
	}

	if want := map[string]string{"lockstep-env": "b",
		"lockstep-release": "v2"}; !maps.Equal(object.Metadata, want) {
		t.Errorf("stamped %v, want %v", object.Metadata, want)
	}

	if stamp, found, err := sites.Stamp(t.Context(), statemachine.B, "index.html"); err != nil ||
		!found || stamp != "v2" {
		t.Errorf("stamp: got %q, %v, %v", stamp, found, err)
	}

	if _, found, err := sites.Stamp(t.Context(), statemachine.A, "index.html"); err != nil || found {
		t.Errorf("stamp in the other environment: found %v, %v", found, err)
	}

	if paths, err := sites.List(t.Context(), statemachine.B); err != nil ||
		!slices.Equal(paths, []string{"index.html"}) {
		t.Errorf("list: got %v, %v", paths, err)
	}

	for range 2 {
		if err := sites.Delete(t.Context(), statemachine.B, "index.html"); err != nil {
			t.Errorf("delete: %v", err)
		}
	}

	if paths, err := sites.List(t.Context(), statemachine.B); err != nil || len(paths) != 0 {
		t.Errorf("list after delete: got %v, %v", paths, err)
	}
}

func TestSites_UnknownEnvironment(t *testing.T) {
	sites, _ := open()
	if err := sites.Put(t.Context(), "c", release.Page{Path: "x"}); err == nil ||
		!strings.Contains(err.Error(), "siteBuckets.c") {
		t.Errorf("got %v, want the field of settings.json", err)
	}
}
