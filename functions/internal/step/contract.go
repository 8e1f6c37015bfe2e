package step

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	"lockstep/functions/internal/artifact"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/schema"
	sm "lockstep/statemachine"
)

// Contract narrows the schema to what the new version needs: the point of no return, which the
// record says before the first statement runs. Before that it asks the database whether clients of
// another release still use it, and waits for them as long as the drain may take.
//
// Run twice, it goes on from the version table. It returns AlarmBreached and OperatorRollback as
// long as there is a way back, Unfinished where it waits or has more to do than one invocation has
// time for, Unreachable, and else ContractFailed.
type Contract struct {
	Ledger   ledger.Ledger
	Settings sm.Settings
	Bundles  artifact.Reader
	Open     schema.Open
}

// clientsLook is how often the database is asked for old clients; clientsTurn is how long one
// invocation asks.
const clientsLook, clientsTurn = 5 * time.Second, 10 * time.Minute

// Run contracts.
func (c *Contract) Run(ctx context.Context, doc sm.Document) (sm.Document, error) {
	record, err := c.Ledger.Enter(ctx, doc, sm.Contract)
	if err != nil {
		return doc, err
	}

	if !record.Contracted {
		if err := ledger.Interruption(record); err != nil {
			return doc, err
		}
	}

	text, err := c.contract(ctx, doc, record)
	if err != nil {
		return doc, err
	}

	event := sm.Event{State: sm.Contract, Kind: sm.EventContracted, Text: text}
	_, err = c.Ledger.Append(ctx, doc, event)

	return doc, err
}

func (c *Contract) contract(
	ctx context.Context, doc sm.Document, record sm.Record,
) (string, error) {
	op := "contract the schema for " + doc.Release
	token := c.Ledger.Lease(doc).SchemaToken()

	database, migrations, err := schema.Migrations(ctx, c.Bundles, c.Open, doc.Release, token)
	if err != nil {
		return "", sm.Wrap(sm.ContractFailed, op, err)
	}

	if database == nil {
		return "no migrations: nothing to contract", c.passPointOfNoReturn(ctx, doc)
	}

	defer database.Close()

	clients := ""
	if _, err := fs.Stat(migrations, "contract"); err == nil && !record.Contracted {
		if clients, err = c.waitForOldClients(ctx, doc, database); err != nil {
			return "", sm.Wrap(sm.ContractFailed, op, err)
		}
	}

	if err := c.passPointOfNoReturn(ctx, doc); err != nil {
		return "", err
	}

	report, err := database.Contract(ctx, doc.Release, migrations)
	if err != nil {
		return "", sm.Wrap(sm.ContractFailed, op, err)
	}

	text := fmt.Sprintf("the schema is only for %s now: %s; no way back from here",
		doc.Release, report)
	if clients != "" {
		text = clients + "; " + text
	}

	return text, nil
}

// passPointOfNoReturn records it. A signal that loses the race against this write comes too late,
// and Signal sees that it does.
func (c *Contract) passPointOfNoReturn(ctx context.Context, doc sm.Document) error {
	_, err := c.Ledger.UpdateRecord(ctx, doc, func(r *sm.Record) error {
		if !r.Contracted {
			if err := ledger.Interruption(*r); err != nil {
				return err
			}
		}

		r.Contracted = true

		return nil
	})

	return err
}

// waitForOldClients waits until no client of another release uses the database any more, and says
// what it found. The API has been quiet before: what is left are clients that never came through
// it.
func (c *Contract) waitForOldClients(
	ctx context.Context, doc sm.Document, database schema.Database,
) (found string, err error) {
	for began := time.Now(); ; {
		record, err := c.Ledger.Record(ctx, doc.Release)
		if err != nil {
			return "", err
		}

		if err := ledger.Interruption(record); err != nil {
			return "", err
		}

		busy, found, err := database.OldClients(ctx, doc.Release, c.Settings.Drain.Quiet.Std())
		if err != nil || !busy {
			return found, err
		}

		atMost := c.Settings.Drain.AtMost
		if record.Promoted == nil || time.Since(*record.Promoted) >= atMost.Std() {
			return fmt.Sprintf("%s, but %s have passed", found, atMost), nil
		}

		if time.Since(began) > clientsTurn {
			return "", sm.Errorf(sm.Unfinished, "wait for old clients of the database: %s", found)
		}

		select {
		case <-ctx.Done():
			return "", sm.Errorf(sm.Unfinished, "wait for old clients of the database: %s: %w",
				found, ctx.Err())
		case <-time.After(clientsLook):
		}
	}
}
