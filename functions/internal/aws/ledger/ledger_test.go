package ledger

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/s3"
	"lockstep/statemachine"
)

type note struct {
	Text string `json:"text"`
}

func open() (*Store, *s3.Service, *cloud.Endpoint) {
	service := s3.New(nil)
	service.CreateBucket("state", false)
	endpoint := cloud.NewEndpoint(map[string]http.Handler{"s3": service})

	return New(sdk.NewFromConfig(endpoint.Config()), "state"), service, endpoint
}

func TestGet_MissingObject(t *testing.T) {
	store, _, _ := open()
	into := note{"as it was"}

	etag, err := store.Get(t.Context(), "ledger/lock.json", &into)
	if err != nil || etag != "" || into.Text != "as it was" {
		t.Errorf("got %q, %v, %v; want nothing read", etag, into, err)
	}
}

func TestGet_MissingBucket(t *testing.T) {
	_, _, endpoint := open()

	store := New(sdk.NewFromConfig(endpoint.Config()), "another")
	if _, err := store.Get(t.Context(), "ledger/lock.json", &note{}); err == nil ||
		!strings.Contains(err.Error(), "s3://another/ledger/lock.json") {
		t.Errorf("got %v, want an error that names the object: no bucket is not an empty ledger", err)
	}
}

func TestGet_NotJSON(t *testing.T) {
	store, service, _ := open()
	if err := service.Put("state", "ledger/lock.json", s3.Object{Body: []byte("<html>")}); err != nil {
		t.Fatal(err)
	}

	_, err := store.Get(t.Context(), "ledger/lock.json", &note{})
	if err == nil || !strings.Contains(err.Error(), "s3://state/ledger/lock.json") {
		t.Errorf("got %v, want an error that names the object", err)
	}
}

func TestPut_Conditions(t *testing.T) {
	const key = "ledger/lock.json"

	store, service, _ := open()

	first, err := store.Put(t.Context(), key, note{"first"}, "")
	if err != nil {
		t.Fatal(err)
	}

	var got note
	if etag, err := store.Get(t.Context(), key, &got); err != nil || etag != first ||
		got.Text != "first" {
		t.Fatalf("read back %v with ETag %q, %v; want what was written with %q", got, etag, err, first)
	}

	if _, err := store.Put(t.Context(), key, note{"second"}, first); err != nil {
		t.Fatal(err)
	}

	for name, write := range map[string]struct{ key, etag string }{
		"an older ETag":        {key, first},
		"there is one already": {key, ""},
		"it was deleted":       {"ledger/gone.json", first},
	} {
		_, err := store.Put(t.Context(), write.key, note{"too late"}, write.etag)
		if !errors.Is(err, &statemachine.Error{Name: statemachine.StaleWrite}) {
			t.Errorf("%s: got %v, want StaleWrite", name, err)
		}
	}

	if object, _ := service.Get("state", key); string(object.Body) != `{"text":"second"}` ||
		object.ContentType != "application/json" {
		t.Errorf("the bucket has %s as %s", object.Body, object.ContentType)
	}
}

// A write that took effect, but whose answer was lost, is repeated by the SDK and then meets
// itself.
func TestPut_AnswerLost_IsOurs(t *testing.T) {
	for name, first := range map[string]bool{"creating": true, "replacing": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, _, endpoint := open()
				etag := ""

				if !first {
					var err error
					if etag, err = store.Put(t.Context(), "k", note{"before"}, ""); err != nil {
						t.Fatal(err)
					}
				}

				lose(endpoint, "PutObject")

				tag, err := store.Put(t.Context(), "k", note{"after"}, etag)
				if err != nil {
					t.Fatal(err)
				}

				if _, err := store.Put(t.Context(), "k", note{"next"}, tag); err != nil {
					t.Errorf("the ETag returned does not fit the object: %v", err)
				}
			})
		})
	}
}

func TestList(t *testing.T) {
	store, _, _ := open()
	for _, key := range []string{"ledger/releases/v2.json", "ledger/releases/v1.json",
		"ledger/lock.json"} {
		if _, err := store.Put(t.Context(), key, note{}, ""); err != nil {
			t.Fatal(err)
		}
	}

	keys, err := store.List(t.Context(), statemachine.RecordsPrefix)
	if want := []string{"ledger/releases/v1.json", "ledger/releases/v2.json"}; err != nil ||
		!slices.Equal(keys, want) {
		t.Errorf("got %v, %v; want %v", keys, err, want)
	}
}

// lose carries the next call of the operation out and answers 500.
func lose(endpoint *cloud.Endpoint, operation string) {
	lost := false

	endpoint.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if lost || cloud.CallOf(r.Context()).Operation != operation {
				next.ServeHTTP(w, r)
				return
			}

			lost = true

			next.ServeHTTP(discard{http.Header{}}, r)
			w.WriteHeader(http.StatusInternalServerError)
		})
	})
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}
