package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"lockstep/infra/local/postgres/postgrestest"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

// This is the worked example: a customer's name is split in two.
var (
	v1 = bundleOf("expand/00001_customers.sql", `-- +goose Up
CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
-- +goose Down
DROP TABLE customers;
`)
	v2 = bundleOf("expand/00002_split_name.sql", `-- +goose Up
ALTER TABLE customers ADD COLUMN first_name text, ADD COLUMN last_name text;
-- +goose StatementBegin
CREATE FUNCTION sync_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.name IS NULL OR TG_OP = 'UPDATE' AND NEW.name = OLD.name THEN
		NEW.name := coalesce(NEW.first_name || ' ' || NEW.last_name, NEW.name);
	END IF;
	NEW.first_name := split_part(NEW.name, ' ', 1);
	NEW.last_name := split_part(NEW.name, ' ', 2);
	RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER sync_name BEFORE INSERT OR UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION sync_name();
-- +goose Down
DROP TRIGGER sync_name ON customers;
DROP FUNCTION sync_name();
ALTER TABLE customers DROP COLUMN first_name, DROP COLUMN last_name;
`, "backfill/customers.json", `{
	"name": "customer-names", "table": "customers", "key": "id", "where": "first_name IS NULL", "batch": 3,
	"statement": "UPDATE customers SET first_name = split_part(name, ' ', 1), last_name = split_part(name, ' ', 2) WHERE id = ANY($1)"
}`, "contract/00002_drop_name.sql", `-- +goose Up
DROP TRIGGER sync_name ON customers;
DROP FUNCTION sync_name();
ALTER TABLE customers ALTER COLUMN first_name SET NOT NULL, ALTER COLUMN last_name SET NOT NULL, DROP COLUMN name;
`)
)

// bundleOf makes a bundle from alternating names and contents.
func bundleOf(files ...string) fstest.MapFS {
	b := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		b[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}

	return b
}

// all has the migrations of a repository that never deletes one.
func all(bundles ...fstest.MapFS) fstest.MapFS {
	merged := fstest.MapFS{}
	for _, b := range bundles {
		maps.Copy(merged, b)
	}

	return merged
}

func open(t testing.TB, url string, o Options) *Database {
	t.Helper()

	d, err := Open(t.Context(), Connection{URL: url}, o)
	if err != nil {
		t.Fatal(err)
	}

	d.db.SetMaxIdleConns(2) // the tests' own questions come often
	t.Cleanup(func() { d.Close() })

	return d
}

// shop is a database after release v1, with customers.
func shop(t testing.TB, customers int) (*Database, string) {
	t.Helper()
	return shopAt(t, postgrestest.Database(t), customers)
}

func shopAt(t testing.TB, url string, customers int) (*Database, string) {
	t.Helper()
	d := open(t, url, Options{})
	release(t, d, "v1", v1)

	if _, err := d.db.Exec("INSERT INTO customers (name) SELECT 'Ada' || n || ' Byron' || n FROM generate_series(1, $1) n", customers); err != nil {
		t.Fatal(err)
	}

	return d, url
}

func expand(t testing.TB, d *Database, name string, migrations fs.FS) Report {
	t.Helper()

	r, err := d.Expand(t.Context(), name, migrations)
	if err != nil {
		t.Fatalf("expand %s: %v", name, err)
	}

	return r
}

func contract(t testing.TB, d *Database, name string, migrations fs.FS) Report {
	t.Helper()

	r, err := d.Contract(t.Context(), name, migrations)
	if err != nil {
		t.Fatalf("contract %s: %v", name, err)
	}

	return r
}

func undo(t testing.TB, d *Database, name string) Report {
	t.Helper()

	r, err := d.UndoExpand(t.Context(), name)
	if err != nil {
		t.Fatalf("undo %s: %v", name, err)
	}

	return r
}

func release(t testing.TB, d *Database, name string, migrations fs.FS) {
	t.Helper()
	expand(t, d, name, migrations)
	contract(t, d, name, migrations)
}

// schema is everything that a release changes: the application's tables, functions, triggers,
// indexes and rows, and the versions that are applied.
func schema(t testing.TB, d *Database) string {
	t.Helper()

	var b strings.Builder

	for _, query := range []string{
		`SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable FROM information_schema.columns
			WHERE table_schema = current_schema AND table_name NOT LIKE 'lockstep%' ORDER BY 1`,
		`SELECT 'trigger ' || tgname FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
			WHERE NOT tgisinternal AND relnamespace = current_schema::regnamespace ORDER BY 1`,
		`SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = current_schema::regnamespace ORDER BY 1`,
		`SELECT 'index ' || relname || ' ' || indisvalid FROM pg_index JOIN pg_class c ON c.oid = indexrelid
			WHERE relnamespace = current_schema::regnamespace AND relname NOT LIKE 'lockstep%' ORDER BY 1`,
		`SELECT 'expand ' || version_id FROM lockstep_expand ORDER BY 1`,
		`SELECT 'backfill ' || name || ' ' || rows FROM lockstep_backfills ORDER BY 1`,
		`SELECT customers::text FROM customers ORDER BY id`,
	} {
		for _, line := range column(t, d, query) {
			fmt.Fprintln(&b, line)
		}
	}

	if _, contract, err := d.Versions(t.Context()); err != nil || contract > 0 {
		fmt.Fprintln(&b, "contract", contract, err)
	}

	return b.String()
}

func column(t testing.TB, d *Database, query string) []string {
	t.Helper()

	rows, err := d.db.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()

	var list []string

	for rows.Next() {
		var s sql.NullString
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}

		list = append(list, s.String)
	}

	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}

	return list
}

func execute(t testing.TB, d *Database, statement string) {
	t.Helper()

	if _, err := d.db.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// holding keeps a lock on the customers until release is called, as a client's long transaction
// does.
func holding(t testing.TB, d *Database, lock string) (release func()) {
	t.Helper()

	tx, err := d.db.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}

	if _, err := tx.Exec(lock); err != nil {
		t.Fatal(err)
	}

	release = func() { tx.Rollback() }
	t.Cleanup(release)

	return release
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)

	return ctx
}
