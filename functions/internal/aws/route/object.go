package route

import (
	"context"
	"fmt"

	"lockstep/statemachine"
)

// Objects are JSON objects that change only by conditional writes, as the ledger's do. An etag of
// "" stands for an object that does not exist.
type Objects interface {
	Get(ctx context.Context, key string, into any) (etag string, err error)
	Put(ctx context.Context, key string, value any, etag string) (string, error)
}

// Object is the route in an object. Lambda@Edge reads it there, since it cannot read the key-value
// store.
type Object struct{ objects Objects }

// InObject stores the route among objects.
func InObject(objects Objects) *Object { return &Object{objects} }

// Get reads the route; false if there is none yet.
func (o *Object) Get(ctx context.Context) (statemachine.Route, bool, error) {
	var r statemachine.Route

	etag, err := o.objects.Get(ctx, statemachine.RouteObject, &r)
	if err != nil {
		return r, false, fmt.Errorf("read the route: %w", err)
	}

	return r, etag != "", nil
}

// Put writes the route as Store.Put does.
func (o *Object) Put(ctx context.Context, r statemachine.Route,
	verify func(context.Context) error) error {
	var before statemachine.Route

	etag, err := o.objects.Get(ctx, statemachine.RouteObject, &before)
	if err != nil {
		return fmt.Errorf("read the route: %w", err)
	}

	if etag != "" && r == before {
		return nil
	}

	if err := verify(ctx); err != nil {
		return err
	}

	if _, err := o.objects.Put(ctx, statemachine.RouteObject, r, etag); err != nil {
		return fmt.Errorf("write the route: %w", err)
	}

	return nil
}
