package doctor

import (
	"context"
	"fmt"

	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/routing"
	sm "lockstep/statemachine"
)

// RolesDrift is a control parameter that says other roles than the ledger.
const RolesDrift sm.FindingKind = "rolesDrift"

type roles struct {
	ledger ledger.Ledger
	roles  routing.Roles
}

func (f roles) find(ctx context.Context, v *view) ([]finding, error) {
	want := v.roles
	have, err := f.roles.Get(ctx)

	text := fmt.Sprintf("the control parameter says that %s is active and %s the fallback, "+
		"the ledger that %s is active", have.Active, have.Fallback, want.Active)

	switch {
	case sm.IsCorrupt(err):
		text = fmt.Sprintf("cannot read %v", err)
	case err != nil:
		return nil, err
	case have == want:
		return nil, nil
	}

	return []finding{{Finding: sm.Finding{
		Kind: RolesDrift, Subject: sm.ControlParameter(f.ledger.App), Text: text,
		Repair: fmt.Sprintf("write that %s is active and %s the fallback", want.Active, want.Fallback),
	}, repair: func(ctx context.Context, doc sm.Document) error {
		return f.ledger.Lease(doc).Guard(ctx, func(ctx context.Context) error {
			return f.roles.Put(ctx, want)
		})
	}}}, nil
}
