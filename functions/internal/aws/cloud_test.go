package aws

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/keyvalue"
	"lockstep/infra/local/cloud/s3"
	"lockstep/infra/local/cloud/ssm"
	"lockstep/statemachine"
)

// The environment of a Lambda, with AWS_ENDPOINT_URL as a local run sets it, is all that Connect
// needs.
func TestConnect(t *testing.T) {
	buckets, store, parameters := s3.New(nil), keyvalue.New(), ssm.New(nil)
	buckets.CreateBucket("state", false)

	settings := statemachine.Settings{App: "shop", StateBucket: "state",
		KeyValue: store.Create("shop")}
	if err := buckets.Put("state", statemachine.SettingsKey,
		s3.Object{Body: settings.JSON()}); err != nil {
		t.Fatal(err)
	}

	if err := parameters.Put("/lockstep/shop/environments",
		`{"active":"a","fallback":"b"}`); err != nil {
		t.Fatal(err)
	}

	server := httptest.NewServer(cloud.NewEndpoint(map[string]http.Handler{
		"s3": buckets, "cloudfront-keyvaluestore": store, "ssm": parameters,
	}))
	defer server.Close()

	for key, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local",
		"LOCKSTEP_STATE_BUCKET": "state", "AWS_CONFIG_FILE": "none", "AWS_SHARED_CREDENTIALS_FILE": "none",
	} {
		t.Setenv(key, value)
	}

	c, err := Connect(t.Context())
	if err != nil || c.Settings.App != "shop" {
		t.Fatalf("got %+v, %v", c, err)
	}

	verify := func(context.Context) error { return nil }

	want := statemachine.Route{Active: statemachine.A, Fallback: statemachine.B, Weight: 1,
		Release: "v2"}
	if err := c.Route().Put(t.Context(), want, verify); err != nil {
		t.Error(err)
	}

	if got, _, err := c.Route().Get(t.Context()); err != nil || got != want {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}

	c.Settings.KeyValue = "" // Lambda@Edge
	if err := c.Routes().Put(t.Context(), want, verify); err != nil {
		t.Error(err)
	}

	if object, ok := buckets.Get("state", statemachine.RouteObject); !ok ||
		!strings.Contains(string(object.Body), `"weight":1,`) {
		t.Errorf("route.json is %q, expected the route", object.Body)
	}

	if control, err := c.Control().Get(t.Context()); err != nil || control.Active != statemachine.A {
		t.Errorf("got %v, %v", control, err)
	}

	t.Setenv("LOCKSTEP_STATE_BUCKET", "another")

	if _, err := Connect(t.Context()); err == nil ||
		!strings.Contains(
			err.Error(), "read the settings: read s3://another/settings.json: NoSuchBucket") {
		t.Errorf("got %v, want the bucket and the object", err)
	}

	t.Setenv("LOCKSTEP_STATE_BUCKET", "")

	if _, err := Connect(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "LOCKSTEP_STATE_BUCKET is not set") {
		t.Errorf("got %v, want the variable's name", err)
	}
}
