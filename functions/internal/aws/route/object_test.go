package route

import (
	"context"
	"errors"
	"net/http"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"lockstep/functions/internal/aws/ledger"
	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/s3"
	"lockstep/statemachine"
)

// meddled lets a test step in before each Put.
type meddled struct {
	*ledger.Store
	before func()
	puts   int
}

func (m *meddled) Put(ctx context.Context, key string, value any, etag string) (string, error) {
	m.puts++
	m.before()

	return m.Store.Put(ctx, key, value, etag)
}

func TestObject(t *testing.T) {
	service := s3.New(nil)
	service.CreateBucket("state", false)
	endpoint := cloud.NewEndpoint(map[string]http.Handler{"s3": service})
	objects := &meddled{Store: ledger.New(sdk.NewFromConfig(endpoint.Config()), "state"),
		before: func() {}}
	routes := InObject(objects)

	next := tenPercent

	next.Weight = 2500
	for _, r := range []statemachine.Route{tenPercent, tenPercent, next} {
		if err := routes.Put(t.Context(), r, holder); err != nil {
			t.Fatal(err)
		}
	}

	var got statemachine.Route
	if _, err := objects.Get(t.Context(), "route.json", &got); err != nil || got != next ||
		objects.puts != 2 {
		t.Errorf("got %+v after %d writes, %v; expected the last after 2", got, objects.puts, err)
	}

	objects.before = func() {
		if err := service.Put("state", "route.json",
			s3.Object{Body: []byte(`{"weight":1}`)}); err != nil {
			t.Fatal(err)
		}
	}

	stale := (*statemachine.Error)(nil)
	if err := routes.Put(t.Context(), tenPercent, holder); !errors.As(err, &stale) ||
		stale.Name != statemachine.StaleWrite {
		t.Errorf("who comes too late gets %v, expected StaleWrite", err)
	}
}
