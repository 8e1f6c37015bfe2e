package step

import (
	"context"
)

// Freeze tells why no release may grow or begin; "" where it may.
type Freeze interface {
	Reason(ctx context.Context) (string, error)
}
