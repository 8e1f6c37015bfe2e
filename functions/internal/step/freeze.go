package step

import (
	"context"
	"time"
)

// Freeze tells why no release may begin or grow; "" where they may. It returns Throttled.
type Freeze interface {
	Reason(ctx context.Context) (string, error)
}

// nextFreezeLook is how long to wait before a freeze is read again: parameter events are delivered
// at best effort. The wait grows with the freeze, since an execution's history has 25,000 events
// and each look takes eight.
func nextFreezeLook(frozenFor time.Duration) time.Duration {
	return min(max(frozenFor/10, 5*time.Minute), 12*time.Hour)
}
