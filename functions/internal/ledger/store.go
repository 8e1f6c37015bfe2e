package ledger

import (
	"context"
	"errors"

	sm "lockstep/statemachine"
)

// Store keeps JSON objects that change only by a conditional write.
type Store interface {
	// Get reads an object and its tag. A missing one has the tag "" and leaves into as it was. One
	// that was deleted has the tag "" too, and into is what it was: whoever writes it restores it.
	Get(ctx context.Context, key string, into any) (etag string, err error)
	// Put writes an object if it still has the tag, "" for not there; else the error is StaleWrite.
	Put(ctx context.Context, key string, value any, etag string) (newETag string, err error)
}

// writeTries is how often Update tries before it leaves the waiting to the state machine, which has
// jitter.
const writeTries = 6

// Update reads an object, changes it and writes it back, and begins again where somebody else
// wrote in between. It returns StaleWrite after writeTries lost races, and whatever change
// returns.
func Update[T any, P interface {
	*T
	Replaces(etag string)
}](ctx context.Context, store Store, key string, change func(*T) error) (T, error) {
	var err error

	for range writeTries {
		var (
			object preserved[T]
			etag   string
		)

		if etag, err = store.Get(ctx, key, &object); err != nil {
			return object.value, err
		}

		if err = change(&object.value); err != nil {
			return object.value, err
		}

		P(&object.value).Replaces(etag)

		if _, err = store.Put(ctx, key, object, etag); err == nil {
			return object.value, nil
		}

		if !errors.Is(err, &sm.Error{Name: sm.StaleWrite}) {
			break
		}
	}

	var none T

	return none, err
}
