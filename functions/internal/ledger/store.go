package ledger

import (
	"context"
	"errors"

	sm "lockstep/statemachine"
)

// Ledger keeps JSON objects that change only by a conditional write.
type Store interface {
	// Get reads an object and its tag; a missing one has the tag "" and leaves into as it was.
	Get(ctx context.Context, key string, into any) (etag string, err error)
	// Put writes an object if it still has the tag, "" for not there; else the error is StaleWrite.
	Put(ctx context.Context, key string, value any, etag string) (newETag string, err error)
}

// update reads, changes and writes back an object until nobody else wrote in between. Whoever loses six
// times in a row gives StaleWrite to the machine, which waits with jitter.
func Update[T any, P interface {
	*T
	Replaces(etag string)
}](ctx context.Context, ledger Store, key string, change func(*T) error) (T, error) {
	var err error
	for range 6 {
		var object kept[T]
		var etag string
		if etag, err = ledger.Get(ctx, key, &object); err != nil {
			return object.value, err
		}
		if err = change(&object.value); err != nil {
			return object.value, err
		}
		P(&object.value).Replaces(etag)
		if _, err = ledger.Put(ctx, key, object, etag); err == nil {
			return object.value, nil
		}
		if !errors.Is(err, &sm.Error{Name: sm.StaleWrite}) {
			break
		}
	}
	var none T
	return none, err
}
