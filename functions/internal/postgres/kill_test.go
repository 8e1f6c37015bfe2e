package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"lockstep/infra/local/postgres/postgrestest"
)

// killer cuts the connection before the nth statement, as the death of the process would. The
// server gets nothing more, not even a rollback.
type killer struct {
	left int
	at   string
}

func (k *killer) TraceQueryStart(ctx context.Context, conn *pgx.Conn,
	q pgx.TraceQueryStartData) context.Context {
	if k.left--; k.left == 0 {
		k.at = excerpt(q.SQL)
		_ = conn.PgConn().Conn().Close()
	}

	return ctx
}

func (k *killer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// canceller ends the context before the nth statement, as a Lambda's deadline does.
type canceller struct {
	left   int
	at     string
	cancel context.CancelFunc
}

func (c *canceller) TraceQueryStart(ctx context.Context, _ *pgx.Conn,
	q pgx.TraceQueryStartData) context.Context {
	if c.left--; c.left == 0 {
		c.at = excerpt(q.SQL)
		c.cancel()
	}

	return ctx
}

func (c *canceller) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// This file has no transaction, and its statements may run twice.
var indexed = all(v2, bundleOf("expand/00003_index.sql", `-- +goose NO TRANSACTION
-- +goose Up
CREATE INDEX CONCURRENTLY IF NOT EXISTS by_last ON customers (last_name);
ALTER TABLE customers ADD COLUMN IF NOT EXISTS phone text;
-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS by_last;
ALTER TABLE customers DROP COLUMN IF EXISTS phone;
`))

// Each call is cut off at each of its statements in turn, and repeated.
func TestKilledAtEveryStatement_RunAgain_SameResult(t *testing.T) {
	calls := map[string]func(context.Context, *Database) error{
		"expand": func(ctx context.Context, d *Database) error {
			_,
				err := d.Expand(ctx, "v2", indexed)

			return err
		},
		"undo": func(ctx context.Context, d *Database) error {
			_,
				err := d.UndoExpand(ctx, "v2")

			return err
		},
		"contract": func(ctx context.Context, d *Database) error {
			_, err := d.Contract(ctx, "v2", indexed)
			return err
		},
	}
	for name, call := range calls {
		t.Run(name+" killed", func(t *testing.T) { everyStatement(t, "killed", name != "expand", call) })
	}

	t.Run("expand cancelled", func(t *testing.T) {
		everyStatement(t, "cancelled", false,
			calls["expand"])
	})
	// A rollback has to undo an expand that was cut off anywhere.
	t.Run("expand killed, then undone", func(t *testing.T) {
		fresh := shops(t)
		for n, reached := 1, true; reached; n++ {
			d, url := fresh()
			before := schema(t, d)
			reached = cut(t, url, "killed", n, calls["expand"]) != ""
			undo(t, d, "v2")

			if after := schema(t, d); after != before {
				t.Fatalf("undo after statement %d left\n%s\nexpected\n%s", n, after, before)
			}
		}
	})
}

func everyStatement(t *testing.T, how string, expanded bool,
	call func(context.Context, *Database) error) {
	fresh := shops(t)
	prepared := func() (*Database, string) {
		d, url := fresh()
		if expanded {
			expand(t, d, "v2", indexed)
		}

		return d, url
	}

	d, _ := prepared()
	if err := call(t.Context(), d); err != nil {
		t.Fatal(err)
	}

	want := schema(t, d)
	for n := 1; ; n++ {
		d, url := prepared()

		at := cut(t, url, how, n, call)
		if at == "" {
			t.Logf("%d statements", n-1)

			if n < 10 {
				t.Errorf("found %d statements to cut at, expected more", n-1)
			}

			return
		}

		if err := call(t.Context(), d); err != nil {
			t.Fatalf("again, after statement %d, %s: %v", n, at, err)
		}

		if got := schema(t, d); got != want {
			t.Fatalf("again, after statement %d, %s:\n%s\nexpected\n%s", n, at, got, want)
		}
	}
}

// shops makes one shop after the other, each in a schema of one database. That is much faster than
// a database for each.
func shops(t *testing.T) (fresh func() (*Database, string)) {
	home := postgrestest.Database(t)
	d := open(t, home, Options{})
	n := 0

	return func() (*Database, string) {
		n++
		execute(t, d, fmt.Sprintf("DROP SCHEMA IF EXISTS s%d CASCADE; CREATE SCHEMA s%d", n-1, n))

		return shopAt(t, fmt.Sprintf("%s&search_path=s%d", home, n), 4)
	}
}

// cut makes a call that is cut off at its nth statement, and returns that statement.
func cut(t *testing.T, url, how string, n int, call func(context.Context, *Database) error) string {
	t.Helper()

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()

	k, c := &killer{left: n + 1}, &canceller{left: n + 1, cancel: cancel} // the first is Open's ping

	var tracer pgx.QueryTracer = k
	if how == "cancelled" {
		tracer = c
	}

	d, err := Open(ctx, Connection{URL: url}, Options{trace: tracer})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()

	err = call(ctx, d)

	at := k.at + c.at
	if at == "" && err != nil {
		t.Fatal(err)
	}

	if errors.Is(err, ErrOutOfTime) {
		t.Fatalf("cut at %s: %v, but there was no deadline", at, err)
	}

	return at
}

// An index that existed before a release exists after its rollback, although the release's file
// says IF NOT EXISTS.
func TestExpand_IndexThatExists_IsRefused(t *testing.T) {
	d, _ := shop(t, 1)
	execute(t, d, `CREATE INDEX by_name ON customers (name); CREATE INDEX "By Name" ON customers (name)`)

	before := schema(t, d)
	for name, body := range map[string]string{
		"plain":      "CREATE INDEX CONCURRENTLY IF NOT EXISTS By_Name ON customers (name);\n-- +goose Down\nDROP INDEX CONCURRENTLY IF EXISTS by_name;\n",
		"in quotes":  "create index concurrently if not exists \"By Name\"\n  on public.customers (name);\n-- +goose Down\ndrop index concurrently if exists public.\"By Name\";\n",
		"the second": "CREATE INDEX CONCURRENTLY IF NOT EXISTS another ON customers (name);\nCREATE INDEX CONCURRENTLY IF NOT EXISTS by_name ON customers (name);\n-- +goose Down\nDROP INDEX CONCURRENTLY IF EXISTS by_name, another;\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := d.Expand(t.Context(), "v2", bundleOf("expand/00002_index.sql",
				"-- +goose NO TRANSACTION\n-- +goose Up\n"+body))
			if err == nil || !strings.Contains(err.Error(), "exists already, and a rollback would drop it") {
				t.Errorf("got %v", err)
			}

			undo(t, d, "v2")

			if after := schema(t, d); after != before {
				t.Errorf("the rollback left\n%s\nexpected\n%s", after, before)
			}
		})
	}

	stays := bundleOf("expand/00002_index.sql", "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY IF NOT EXISTS by_name ON customers (name);\n-- +goose Down\nSELECT 1;\n")
	expand(t, d, "v2", stays)
}

func TestExpand_InvalidIndex_IsBuiltAgain(t *testing.T) {
	d := open(t, postgrestest.Database(t), Options{})
	expand(t, d, "v1", v1)
	execute(t, d, "INSERT INTO customers (name) VALUES ('twice'), ('twice')")

	unique := bundleOf("expand/00002_unique.sql",
		"-- +goose NO TRANSACTION\n-- +goose Up\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS one_name ON customers (name);\n"+
			"-- +goose Down\nDROP INDEX CONCURRENTLY IF EXISTS one_name;\n")
	if _, err := d.Expand(t.Context(), "v2", unique); err == nil {
		t.Fatal("a unique index was built on doubles")
	}

	valid := func() string {
		return fmt.Sprint(column(t, d, "SELECT indisvalid::text FROM pg_index WHERE indexrelid::regclass::text = 'one_name'"))
	}
	if got := valid(); got != "[false]" {
		t.Fatalf("the wreck is valid: %s", got)
	}

	execute(t, d, "DELETE FROM customers WHERE id = 1")
	expand(t, d, "v2", unique)

	if got := valid(); got != "[true]" {
		t.Errorf("the index is valid: %s", got)
	}

	undo(t, d, "v2")

	if got := valid(); got != "[]" {
		t.Errorf("undo left the index: %s", got)
	}
}
