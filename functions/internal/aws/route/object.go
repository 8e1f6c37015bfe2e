package route

import (
	"context"
	"fmt"

	"lockstep/statemachine"
)

// Objects are JSON objects that change by conditional writes, as the ledger's do.
type Objects interface {
	Get(ctx context.Context, key string, into any) (etag string, err error)
	Put(ctx context.Context, key string, value any, etag string) (string, error)
}

// Object is the route where Lambda@Edge reads it, which cannot read the key-value store.
type Object struct{ objects Objects }

// InObject keeps the route among objects.
func InObject(objects Objects) *Object { return &Object{objects} }

// Get reads the route; false says that there is none yet.
func (o *Object) Get(ctx context.Context) (statemachine.Route, bool, error) {
	var r statemachine.Route

	etag, err := o.objects.Get(ctx, statemachine.RouteObject, &r)
	if err != nil {
		return r, false, fmt.Errorf("look at the route: %w", err)
	}

	return r, etag != "", nil
}

// Put writes the route as Store does: not twice, and StaleWrite for who comes too late.
func (o *Object) Put(ctx context.Context, r statemachine.Route,
	mine func(context.Context) error) error {
	var before statemachine.Route

	etag, err := o.objects.Get(ctx, statemachine.RouteObject, &before)
	if err != nil {
		return fmt.Errorf("look at the route: %w", err)
	}

	if etag != "" && r == before {
		return nil
	}

	if err := mine(ctx); err != nil {
		return err
	}

	if _, err := o.objects.Put(ctx, statemachine.RouteObject, r, etag); err != nil {
		return fmt.Errorf("write the route: %w", err)
	}

	return nil
}
