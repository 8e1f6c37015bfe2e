package step

import (
	"context"
	"fmt"

	sm "lockstep/statemachine"
)

// Contract narrows the schema to what the new version needs: the point of no return, which the record
// says before the first statement runs. Run twice, it goes on from the version table. It returns
// AlarmBreached and OperatorRollback as long as there is a way back, ContractFailed after that.
type Contract struct {
	Book    Book
	Bundles Bundles
	Open    OpenSchema
}

func (c *Contract) Run(ctx context.Context, doc sm.Document) (sm.Document, error) {
	if _, err := c.Book.Enter(ctx, doc, sm.Contract); err != nil {
		return doc, err
	}
	// A signal that loses the race against this write comes too late, and Signal sees that it does.
	if _, err := c.Book.Update(ctx, doc, func(r *sm.Record) error {
		if !r.Contracted {
			if err := interruption(*r); err != nil {
				return err
			}
		}
		r.Contracted = true
		return nil
	}); err != nil {
		return doc, err
	}
	text, err := c.contract(ctx, doc)
	if err != nil {
		return doc, sm.Wrap(sm.ContractFailed, "contract the schema for "+doc.Release, err)
	}
	_, err = c.Book.Tell(ctx, doc, sm.Contract, text)
	return doc, err
}

func (c *Contract) contract(ctx context.Context, doc sm.Document) (string, error) {
	schema, migrations, err := openMigrations(ctx, c.Bundles, c.Open, doc.Release)
	if err != nil || schema == nil {
		return "no migrations: nothing to contract", err
	}
	defer schema.Close()
	report, err := schema.Contract(ctx, doc.Release, migrations)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("the schema is only for %s now: %s; no way back from here", doc.Release, report), nil
}
