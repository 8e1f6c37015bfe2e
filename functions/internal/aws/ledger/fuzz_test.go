package ledger

import (
	"encoding/json"
	"testing"

	"lockstep/infra/local/cloud/s3"
	"lockstep/statemachine"
)

// What lies in the bucket is read as one of the ledger's objects or refused, and then never
// written over by whoever could not read it: without its tag there is no writing.
func FuzzStore_Get(f *testing.F) {
	for _, object := range []string{
		`{"fence":7,"holder":{"release":"v2","sequence":2,"execution":"arn","fence":7,"since":"2026-01-01T00:00:00Z"},"queue":[{"release":"v3"}]}`,
		`{"release":"v2","fence":7,"wait":{"until":"2026-01-01T00:00:00Z","document":{"event":{}}},"events":[{"weight":5}]}`,
		`{"environment":"a","inSync":true,"site":null,"functions":{"orders":{"version":"3"}}}`, `{"fence":1e99}`, `{"since":"yesterday"}`, `nil`, ``,
	} {
		f.Add([]byte(object))
	}

	f.Fuzz(func(t *testing.T, object []byte) {
		store, service, _ := open()
		if err := service.Put("state", "ledger/x.json", s3.Object{Body: object}); err != nil {
			t.Fatal(err)
		}

		for _, into := range []any{&statemachine.Lock{}, &statemachine.Record{},
			&statemachine.EnvironmentState{}} {
			etag, err := store.Get(t.Context(), "ledger/x.json", into)
			if (err == nil) == (etag == "") {
				t.Fatalf("%T of %q: got the tag %q and %v", into, object, etag, err)
			}

			if err != nil {
				if _, err := store.Put(t.Context(), "ledger/x.json", into, etag); err == nil {
					t.Errorf("%q was written over", object)
				}

				continue
			}

			again, err := json.Marshal(into)
			if err == nil {
				_, err = store.Put(t.Context(), "ledger/again.json", json.RawMessage(again), "")
			}

			if err != nil && statemachine.Name(err) != statemachine.StaleWrite {
				t.Errorf("%T of %q can't be written: %v", into, object, err)
			}
		}
	})
}
