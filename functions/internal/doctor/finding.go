package doctor

import (
	"context"

	sm "lockstep/statemachine"
)

// finding is a difference and how it is repaired.
type finding struct {
	sm.Finding

	// alone says that it is repaired without the lease, and that the rest is looked at another time:
	// it is about the lease itself, or about what runs without it.
	alone bool
	// hides says that the rest can be looked at as soon as it is repaired.
	hides bool
	// repair writes under the lease of doc; nil, with alone, where only a person can.
	repair func(ctx context.Context, doc sm.Document) error
}

// finder finds one kind of difference.
type finder interface {
	find(ctx context.Context, v *view) ([]finding, error)
}

func anyAlone(list []finding) bool {
	for _, f := range list {
		if f.alone {
			return true
		}
	}

	return false
}

func about(list []finding, kind sm.FindingKind) bool {
	for _, f := range list {
		if f.Kind == kind {
			return true
		}
	}

	return false
}
