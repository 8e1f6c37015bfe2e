package route

import (
	"testing"

	"lockstep/statemachine"
)

// Whatever the key holds, a release can write its route over it.
func FuzzStore(f *testing.F) {
	for _, value := range []string{
		`{"active":"b","fallback":"a","weight":500,"release":"v2","preview":"5e88"}`, `{"weight":1e9}`, `{"weight":"much"}`, `null`, `[`, `"x"`, ``,
	} {
		f.Add(value)
	}

	f.Fuzz(func(t *testing.T, value string) {
		store, service, _ := open(nil)
		if err := service.Put(store.arn, statemachine.RouteKey, value); err != nil {
			t.Skip("the store does not take it")
		}

		if err := store.Put(t.Context(), tenPercent, holder); err != nil {
			t.Fatalf("%q: %v", value, err)
		}

		got, found, err := store.Get(t.Context())
		if err != nil || !found || got != tenPercent {
			t.Errorf("%q: got %+v, %v, %v", value, got, found, err)
		}
	})
}
