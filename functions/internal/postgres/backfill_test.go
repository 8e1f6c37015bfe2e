package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestBackfill_KeysOfAnyType(t *testing.T) {
	for _, key := range []struct{ kind, value string }{
		{"bigint", "n"}, {"text", "'a,''\"' || n"}, {"uuid", "gen_random_uuid()"}, {"timestamptz",
			"now() - n * interval '1 s'"},
	} {
		t.Run(key.kind, func(t *testing.T) {
			d, _ := shop(t, 0)
			execute(t, d, "CREATE SCHEMA other; CREATE TABLE other.things (\"Key\" "+key.kind+
				" PRIMARY KEY, x int)")
			execute(t, d, "INSERT INTO other.things SELECT "+key.value+" FROM generate_series(1, 25) n")

			r := expand(t, d, "v2", bundleOf("backfill/x.json", `{"name": "x", "table": "other.things", "key": "Key", "where": "x IS NULL -- still",
				"batch": 4, "statement": "UPDATE other.things SET x = 1 WHERE \"Key\" = ANY($1)"}`))
			if r.Backfilled["x"] != 25 {
				t.Errorf("filled %d rows, expected 25", r.Backfilled["x"])
			}

			if got := column(t, d, "SELECT count(*) FROM other.things WHERE x IS NULL")[0]; got != "0" {
				t.Errorf("%s rows left", got)
			}
		})
	}
}

// slow is a backfill of 20 batches of 50 ms each.
var slow = bundleOf("expand/00002_x.sql", "-- +goose Up\nALTER TABLE customers ADD COLUMN x int;\n-- +goose Down\nALTER TABLE customers DROP COLUMN x;\n",
	"backfill/x.json", `{"name": "x", "table": "customers", "key": "id", "where": "x IS NULL", "batch": 1,
		"statement": "UPDATE customers SET x = 1 FROM pg_sleep(0.05) WHERE id = ANY($1)"}`)

func TestBackfill_OutOfTime_IsContinuedAndCountedExactly(t *testing.T) {
	d, _ := shop(t, 20)

	var counts []int64

	for {
		r, err := d.Expand(within(t, 500*time.Millisecond), "v2", slow)
		counts = append(counts, r.Backfilled["x"])

		if err == nil {
			break
		}

		if errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrOutOfTime) && len(counts) < 60 {
			continue // a busy machine had no time for anything
		}

		if !errors.Is(err, ErrOutOfTime) || !strings.Contains(err.Error(), "backfill/x.json") {
			t.Fatalf("after %v: %v", counts, err)
		}

		if r.Backfilled["x"] == 20 {
			continue // time ran out between the last row and the end
		}

		if _, err := d.Contract(t.Context(), "v2", slow); !errors.Is(err, ErrRowsLeft) {
			t.Fatalf("contract after %v: %v, expected ErrRowsLeft", counts, err)
		}
	}

	if len(counts) < 3 || counts[len(counts)-1] != 20 {
		t.Errorf("counts %v, expected several calls and 20 in the end", counts)
	}

	contract(t, d, "v2", slow)
}

func TestExpand_OutOfTimeWithNothingDone_IsNotContinued(t *testing.T) {
	d, _ := shop(t, 1)
	hopeless := bundleOf(
		"expand/00002_x.sql", "-- +goose Up\nSELECT pg_sleep(30);\n-- +goose Down\nSELECT 1;\n")

	_, err := d.Expand(within(t, 400*time.Millisecond), "v2", hopeless)
	if err == nil || errors.Is(err, ErrOutOfTime) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, expected the context's error and not ErrOutOfTime, which would be for ever",
			err)
	}
}

func TestBackfill_LockedRows_AreLeftToTheNextPass(t *testing.T) {
	d, _ := shop(t, 9)
	release := holding(t, d, "SELECT FROM customers WHERE id IN (2, 7) FOR UPDATE")
	expand(t, d, "v1b", bundleOf("expand/00002_y.sql",
		"-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 1;\n"))

	execute(t, d, "CREATE TABLE seen (id bigint, at timestamptz DEFAULT clock_timestamp())")
	go func() {
		for column(t, d, "SELECT count(*) FROM seen")[0] != "7" {
			time.Sleep(20 * time.Millisecond)
		}

		release()
	}()

	r := expand(t, d, "v2", bundleOf("backfill/x.json", `{"name": "x", "table": "customers", "key": "id", "where": "name NOT LIKE '%!'", "batch": 3,
		"statement": "WITH done AS (UPDATE customers SET name = name || '!' WHERE id = ANY($1) RETURNING id) INSERT INTO seen SELECT id FROM done"}`))
	if r.Backfilled["x"] != 9 {
		t.Errorf("filled %d rows, expected 9", r.Backfilled["x"])
	}

	if got := fmt.Sprint(column(t, d, "SELECT id FROM (SELECT * FROM seen ORDER BY at DESC LIMIT 2) last ORDER BY id")); got != "[2 7]" {
		t.Errorf("last came %s, expected the two that were locked", got)
	}
}

func TestBackfill_StatementThatMissesRows_IsToldSo(t *testing.T) {
	d, _ := shop(t, 5)
	missing := func(statement string) fstest.MapFS {
		return bundleOf("backfill/x.json", `{"name": "x", "table": "customers", "key": "id", "where": "name LIKE 'Ada%'", "statement": "`+statement+`"}`)
	}

	_, err := d.Expand(
		t.Context(), "v2", missing("UPDATE customers SET name = 'B' WHERE id = ANY($1) AND id <> 4"))
	if !errors.Is(err, ErrRowsLeft) || !strings.Contains(err.Error(), "backfill/x.json") ||
		!strings.Contains(err.Error(), "{4}") {
		t.Errorf("got %v, expected ErrRowsLeft that names the file and key 4", err)
	}

	undo(t, d, "v2")

	if r := expand(t, d, "v3", missing("UPDATE customers SET name = 'B' WHERE id = ANY($1)")); r.Backfilled["x"] != 1 {
		t.Errorf("corrected, it filled %d rows, expected the one that was left", r.Backfilled["x"])
	}
}

func TestContract_RowsWrittenBehindTheBackfill_AreNotLost(t *testing.T) {
	d, _ := shop(t, 5)
	expand(t, d, "v2", v2)
	execute(t, d, "ALTER TABLE customers DISABLE TRIGGER sync_name; INSERT INTO customers (name) VALUES ('Late Comer')")
	before := schema(t, d)

	_, err := d.Contract(t.Context(), "v2", v2)
	if !errors.Is(err, ErrRowsLeft) || !strings.Contains(err.Error(), "1 rows of customers left") {
		t.Errorf("got %v, expected ErrRowsLeft", err)
	}

	if after := schema(t, d); after != before {
		t.Errorf("it changed\n%s\nto\n%s", before, after)
	}

	expand(t, d, "v2", v2) // fills in the late one
	contract(t, d, "v2", v2)
}

func TestResized(t *testing.T) {
	for _, test := range []struct {
		size int
		took time.Duration
		want int
	}{
		{1000, 600 * time.Millisecond, 500}, {1, time.Minute, 1}, {500, 50 * time.Millisecond, 1000},
		{1000, time.Millisecond, 1000}, {500, 200 * time.Millisecond, 500},
	} {
		if got := resized(test.size, 1000, test.took, 2*time.Second); got != test.want {
			t.Errorf("a batch of %d that took %v makes one of %d, expected %d", test.size, test.took, got,
				test.want)
		}
	}
}
