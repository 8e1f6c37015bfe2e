package stack

import (
	"archive/zip"
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"lockstep/infra/config"
	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/cloud/wire"
	sm "lockstep/statemachine"
)

// options are those of an application with all that a release owns.
func options(t *testing.T) Options {
	t.Helper()

	shop, err := config.Parse([]byte(`{"app":"shop","functions":[{"name":"orders",
		"runtime":"provided.al2023","handler":"bootstrap","routes":["/orders"],
		"events":[{"pattern":{"source":["shop"]}}]}]}`))
	if err != nil {
		t.Fatal(err)
	}

	var packed bytes.Buffer

	w := zip.NewWriter(&packed)
	if _, err := w.Create("bootstrap"); err != nil {
		t.Fatal(err)
	}

	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	o := Options{
		Config: shop, Code: map[sm.Task][]byte{}, Placeholder: packed.Bytes(),
		Runner: lambda.NewInProcess(nil), CallTimeout: 29 * time.Second, MetricPeriod: time.Minute,
	}
	for _, task := range sm.Functions() {
		o.Code[task] = packed.Bytes()
	}

	return o
}

// owned is how many there are of each of what a release owns.
func (s *Stack) owned() map[string]int {
	owned := map[string]int{}

	for _, e := range sm.Environments() {
		stage, _ := s.Cloud.APIGateway.Stage(API, e.Stage())
		owned["stage variables"] += len(stage.Variables)
	}

	for _, name := range []string{sm.ControlParameter("shop"), sm.FreezeParameter("shop")} {
		if _, ok := s.Cloud.SSM.Get(name); ok {
			owned["parameters"]++
		}
	}

	if _, ok := s.Cloud.KeyValue.Read(s.Settings.KeyValue, sm.RouteKey, time.Now()); ok {
		owned["routes"]++
	}

	versions, aliases := s.Cloud.Lambda.Published("shop-orders")
	owned["versions"], owned["aliases"] = len(versions), len(aliases)
	owned["objects"] = len(s.Cloud.S3.Keys(s.Settings.StateBucket, ""))

	return owned
}

// What a release owns is the custom resource's to make, here as on AWS: the template declares none
// of it.
func TestTemplate_OwnsNothingOfARelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options(t)

		s := &Stack{Cloud: cloud.New(o.Runner, o.Limits)}
		defer s.Close()

		if err := s.resources(o); err != nil {
			t.Fatal(err)
		}

		if err := s.callers(o); err != nil {
			t.Fatal(err)
		}

		for what, n := range s.owned() {
			if n != 0 {
				t.Errorf("found %d %s, expected none", n, what)
			}
		}
	})
}

func TestUp_MakesWhatAReleaseOwns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Up(options(t))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()

		want := map[string]int{"stage variables": 4, "parameters": 2, "routes": 1, "versions": 1,
			"aliases": 3, "objects": 1}
		for what, n := range s.owned() {
			if n != want[what] {
				t.Errorf("found %d %s, expected %d", n, what, want[what])
			}
		}
	})
}

// The API calls a function by what the custom resource permits, and by nothing else.
func TestFront_CallsByPermission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options(t)
		o.Runner = lambda.NewInProcess(map[string]lambda.Handler{
			"shop-orders": func(context.Context, []byte) ([]byte, error) { return []byte("{}"), nil },
		})

		s, err := Up(o)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()

		for alias, permitted := range map[string]bool{"a": true, "b": true, sm.LiveAlias: false} {
			_, _, err := s.invoke(t.Context(), wire.ARN("execute-api", API+"/api-a/GET/orders"),
				wire.ARN("lambda", "function:shop-orders:"+alias), []byte("{}"))
			if (err == nil) != permitted {
				t.Errorf("alias %s: %v, expected that it may be called: %t", alias, err, permitted)
			}
		}
	})
}
