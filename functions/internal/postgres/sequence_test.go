package postgres

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"
)

// In a file that ran, only the comments between its statements may change.
func TestRelease_FileChangedAfterItRan(t *testing.T) {
	const (
		up, way = "-- +goose Up\nALTER TABLE customers ADD COLUMN note text;\n", "-- +goose Down\nALTER TABLE customers DROP COLUMN note;\n"
		narrow  = "-- +goose Up\nALTER TABLE customers DROP COLUMN note;\n"
	)
	for name, test := range map[string]struct {
		expand, contract string
		refuses          string // the file, if any
	}{
		"not at all":    {up + way, narrow, ""},
		"a comment":     {"-- why: the shop asked for it\n" + up + "-- and back\n" + way, narrow, ""},
		"the line ends": {strings.ReplaceAll(up+way, "\n", "\r\n"), narrow, ""},
		"a statement": {strings.Replace(up, "text", "varchar", 1) + way, narrow,
			"expand/00002_note.sql"},
		"a statement more": {up + "SELECT 1;\n" + way, narrow, "expand/00002_note.sql"},
		"the way back":     {up + "-- +goose Down\nSELECT 1;\n", narrow, "expand/00002_note.sql"},
		"the contract": {up + way, strings.Replace(narrow, "DROP COLUMN note",
			"DROP COLUMN IF EXISTS note", 1), "contract/00002_note.sql"},
		"its transaction":   {"-- +goose NO TRANSACTION\n" + up + way, narrow, "expand/00002_note.sql"},
		"the contract away": {up + way, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := shop(t, 1)
			release(t, d, "v2", bundleOf("expand/00002_note.sql", up+way, "contract/00002_note.sql", narrow))
			before := schema(t, d)

			next := all(v1, bundleOf("expand/00002_note.sql", test.expand))
			if test.contract != "" {
				next = all(next, bundleOf("contract/00002_note.sql", test.contract))
			}

			_, err := d.Expand(t.Context(), "v3", next)
			switch {
			case test.refuses == "" && err != nil:
				t.Errorf("got %v", err)
			case test.refuses != "" && (!errors.Is(err, ErrChanged) ||
				!strings.HasPrefix(err.Error(), test.refuses) ||
				!strings.Contains(err.Error(), "release v2 ran it")):
				t.Errorf("got %v, expected ErrChanged of %s that says who ran it", err, test.refuses)
			}

			if after := schema(t, d); after != before {
				t.Errorf("it changed\n%s\nto\n%s", before, after)
			}
		})
	}
}

// After a rollback, the release's numbers are free again: for the same release, for a corrected one
// and for the next ones.
func TestRelease_RolledBackInBetween(t *testing.T) {
	d, _ := shop(t, 3)
	expand(t, d, "v2", all(v1, v2))
	undo(t, d, "v2")
	expand(t, d, "v2", all(v1, v2)) // the same again
	undo(t, d, "v2")

	corrected := all(v1, v2)
	corrected["backfill/customers.json"] = bundleOf("b",
		strings.Replace(string(v2["backfill/customers.json"].Data), `"batch": 3`, `"batch": 2`, 1))["b"]

	corrected["expand/00002_split_name.sql"] = bundleOf("e",
		strings.ReplaceAll(string(v2["expand/00002_split_name.sql"].Data), "coalesce(NEW.first_name",
			"coalesce(NULL, NEW.first_name"))["e"]
	if r := expand(t, d, "v3", corrected); r.Backfilled["customer-names"] != 3 || len(r.Applied) != 1 {
		t.Errorf("corrected: %s", r)
	}
	// Its contract never runs. The next release, which has all files, runs it.
	next := all(corrected, v5)
	if r := expand(t, d, "v5", next); len(r.Applied) != 1 {
		t.Errorf("the next one: %s", r)
	}

	if r := contract(t, d, "v5", next); len(r.Applied) != 1 ||
		r.Applied[0] != "contract/00002_drop_name.sql" {
		t.Errorf("its contract: %s", r)
	}

	if got := column(t, d, "SELECT string_agg(column_name, ' ' ORDER BY column_name) FROM information_schema.columns WHERE table_name = 'customers'")[0]; got != "email first_name id last_name" {
		t.Errorf("in the end there are %s", got)
	}
}

// slowContract has more files than one call has time for.
var slowContract = func() fstest.MapFS {
	b := all(v2)
	for n := 3; n < 13; n++ {
		b[fmt.Sprintf("contract/%05d_slow.sql", n)] = &fstest.MapFile{Data: []byte("-- +goose Up\nSELECT pg_sleep(0.25);\n")}
	}

	return b
}()

func TestContract_OutOfTime_IsContinued(t *testing.T) {
	d, _ := shop(t, 3)
	d.options.LockTimeout = 100 * time.Millisecond // the rehearsal gives slow files up
	expand(t, d, "v2", slowContract)

	calls := 0
	for ; ; calls++ {
		_, err := d.Contract(within(t, 2*time.Second), "v2", slowContract)
		if err == nil {
			break
		}

		if !errors.Is(err, ErrOutOfTime) || calls > 20 {
			t.Fatalf("call %d: %v", calls, err)
		}
	}

	if _, c, err := d.Versions(t.Context()); c != 12 || err != nil || calls == 0 {
		t.Errorf("contracted to %d after %d calls that ran out of time, %v", c, calls, err)
	}
}

func TestContract_TwoAtOnce_OneWaits(t *testing.T) {
	d, _ := shop(t, 3)
	expand(t, d, "v2", slowContract)

	var (
		both    sync.WaitGroup
		applied atomic.Int64
	)

	for range 2 {
		both.Go(func() {
			r, err := d.Contract(t.Context(), "v2", slowContract)
			if err != nil {
				t.Error(err)
			}

			applied.Add(int64(len(r.Applied)))
		})
	}

	both.Wait()

	if applied.Load() != 11 {
		t.Errorf("applied %d files, expected each of the 11 once", applied.Load())
	}
}

// A stale writer is refused before it changes anything. A call with a higher fencing token is not.
func TestFence_StaleWriterIsRefused(t *testing.T) {
	_, url := shop(t, 1)
	fenced := func(fence int64) *Database {
		return open(t, url,
			Options{Fence: fence, Ledger: "shop"})
	}
	expand(t, fenced(3), "v2", v2)
	undo(t, fenced(4), "v2")

	before := schema(t, fenced(0))
	for name, late := range map[string]func(d *Database) error{
		"expand":   func(d *Database) error { _, err := d.Expand(t.Context(), "v2", v2); return err },
		"undo":     func(d *Database) error { _, err := d.UndoExpand(t.Context(), "v1"); return err },
		"contract": func(d *Database) error { _, err := d.Contract(t.Context(), "v1", v1); return err },
	} {
		if err := late(fenced(3)); !errors.Is(err, ErrFenced) ||
			!strings.Contains(err.Error(), "was changed under fencing token 4, this call has 3") {
			t.Errorf("%s: got %v, expected ErrFenced", name, err)
		}
	}

	if after := schema(t, fenced(0)); after != before {
		t.Errorf("who was refused changed\n%s\nto\n%s", before, after)
	}

	expand(t, fenced(4), "v2", v2) // run twice
	// Another ledger counts from 1, such as that of a copy of the database.
	contract(t, open(t, url, Options{Fence: 1, Ledger: "staging"}), "v2", v2)
}
