package route

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	kvs "github.com/aws/aws-sdk-go-v2/service/cloudfrontkeyvaluestore"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/keyvalue"
	"lockstep/statemachine"
)

var tenPercent = statemachine.Route{Active: statemachine.B, Fallback: statemachine.A, Weight: 1000,
	Release: "v2"}

// open counts PutKey and lets a test step in before each.
func open(before func(service *keyvalue.Service, arn string)) (store *Store,
	service *keyvalue.Service, puts *int) {
	service, puts = keyvalue.New(), new(int)
	arn := service.Create("shop")
	endpoint := cloud.NewEndpoint(map[string]http.Handler{"cloudfront-keyvaluestore": service})
	endpoint.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				*puts++

				if before != nil {
					before(service, arn)
				}
			}

			next.ServeHTTP(w, r)
		})
	})

	return New(kvs.NewFromConfig(endpoint.Config(), Endpoint), arn), service, puts
}

// holder verifies the lease for its holder: it has no error.
func holder(context.Context) error { return nil }

func TestStore_OfWhoLostTheLock(t *testing.T) {
	store, _, puts := open(nil)

	lost := errors.New("it is somebody else's")
	if err := store.Put(t.Context(), tenPercent,
		func(context.Context) error { return lost }); !errors.Is(err, lost) || *puts != 0 {
		t.Errorf("got %v after %d writes, want none", err, *puts)
	}
}

func TestStore(t *testing.T) {
	store, _, puts := open(nil)
	if _, found, err := store.Get(t.Context()); found || err != nil {
		t.Errorf("an empty store: found %v, %v", found, err)
	}

	for range 2 {
		if err := store.Put(t.Context(), tenPercent, holder); err != nil {
			t.Fatal(err)
		}
	}

	if *puts != 1 {
		t.Errorf("wrote the same route %d times, want 1", *puts)
	}

	if got, found, err := store.Get(t.Context()); got != tenPercent || !found || err != nil {
		t.Errorf("got %v, %v, %v", got, found, err)
	}

	full := tenPercent

	full.Weight = 10000
	if err := store.Put(t.Context(), full, holder); err != nil {
		t.Fatal(err)
	}

	if got, _, err := store.Get(t.Context()); got != full || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestPut_StaleWrite(t *testing.T) {
	store, service, _ := open(func(s *keyvalue.Service, arn string) {
		if err := s.Put(arn, statemachine.RouteKey, `{"weight":5}`); err != nil {
			t.Error(err)
		}
	})

	err := store.Put(t.Context(), tenPercent, holder)
	if !errors.Is(err, &statemachine.Error{Name: statemachine.StaleWrite}) {
		t.Errorf("got %v, want StaleWrite", err)
	}

	if value, _ := service.Read(store.arn, statemachine.RouteKey,
		time.Now()); value != `{"weight":5}` {
		t.Errorf("overwrote it with %s", value)
	}
}

// The write took effect but its answer was lost: the SDK repeats it with an ETag that is old by
// then.
func TestPut_AnswerLost_IsOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, _, puts := open(func(s *keyvalue.Service, arn string) {
			if err := s.Put(arn, statemachine.RouteKey,
				`{"active":"b","fallback":"a","weight":1000,"release":"v2"}`); err != nil {
				t.Error(err)
			}
		})
		if err := store.Put(t.Context(), tenPercent, holder); err != nil || *puts != 1 {
			t.Errorf("got %v after %d writes, want success", err, *puts)
		}
	})
}

func TestEndpoint(t *testing.T) {
	const arn = "arn:aws:cloudfront::123456789012:key-value-store/x"

	for base, want := range map[string]string{
		"":                                 "https://123456789012.cloudfront-kvs.global.api.aws",
		"http://127.0.0.1:4566":            "http://127.0.0.1:4566",
		"http://[::1]:4566":                "http://[::1]:4566",
		"http://localhost:4566":            "http://localhost:4566",
		"https://kvs.vpce.example.com:444": "https://123456789012.kvs.vpce.example.com:444",
	} {
		client := kvs.New(kvs.Options{Region: "us-east-1"}, func(o *kvs.Options) {
			if base != "" {
				o.BaseEndpoint = aws.String(base)
			}
		}, Endpoint)
		o := client.Options()

		got, err := o.EndpointResolverV2.ResolveEndpoint(t.Context(), kvs.EndpointParameters{
			KvsARN: aws.String(arn), Region: &o.Region, Endpoint: o.BaseEndpoint, UseFIPS: aws.Bool(false),
		})
		if err != nil || got.URI.String() != want {
			t.Errorf("%q: got %s, %v; want %s", base, got.URI.String(), err, want)
		}
	}
}
