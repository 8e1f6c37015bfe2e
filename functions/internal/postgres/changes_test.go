package postgres

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"

	"lockstep/infra/local/postgres/postgrestest"
	"lockstep/statemachine/migration/lint"
)

// change is one of the classic changes of a schema, with two versions of an application that use
// it.
type change struct {
	bundle fstest.MapFS
	// Each client runs these statements again and again, with the id of a row of its own and a number
	// that differs each time. A statement that returns a row returns true.
	old, new []string
	// These are the columns of customers in each phase, and the conditions that all rows meet.
	expanded, contracted string
	whileBoth, after     string
	afterRollback        string
}

// Every change begins with this table.
const customersTable = `-- +goose Up
CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL, email text NOT NULL, cents int NOT NULL, fax text NOT NULL);
INSERT INTO customers SELECT n, 'Ada' || n || ' Byron' || n, n || '@example', n, '555-' || n FROM generate_series(1, 1500) n;
-- +goose Down
DROP TABLE customers;
`

const columnsBefore = "cents:integer! email:text! fax:text! id:bigint! name:text!"

// both is a trigger that keeps an old and a new column in sync, and the statements that drop it.
func both(body string) (make, drop string) {
	return `-- +goose StatementBegin
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ` + body + ` RETURN NEW; END $$;
-- +goose StatementEnd
CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION keep();
`, `DROP TRIGGER keep ON customers;
DROP FUNCTION keep();
`
}

func migrations(up, down, backfill, contract string) fstest.MapFS {
	b := bundleOf("expand/00002_change.sql", "-- +goose Up\n"+up+"-- +goose Down\n"+down)

	if backfill != "" {
		where, set, _ := strings.Cut(backfill, " => ")
		b["backfill/change.json"] = &fstest.MapFile{Data: []byte(`{"name": "change", "table": "customers", "key": "id", "batch": 100,
			"where": "` + where + `", "statement": "UPDATE customers SET ` + set + ` WHERE id = ANY($1)"}`)}
	}

	if contract != "" {
		b["contract/00002_change.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + contract)}
	}

	return b
}

// proven makes a column NOT NULL without reading the table under a lock. It is the second file of a
// contract.
func proven(b fstest.MapFS, column string) fstest.MapFS {
	b["contract/00003_prove.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nALTER TABLE customers ADD CONSTRAINT proof CHECK (" + column + " IS NOT NULL) NOT VALID;\n")}
	b["contract/00004_read.sql"] = &fstest.MapFile{Data: []byte(
		"-- +goose Up\nALTER TABLE customers VALIDATE CONSTRAINT proof;\n")}
	b["contract/00005_not_null.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nALTER TABLE customers ALTER COLUMN " + column + " SET NOT NULL;\nALTER TABLE customers DROP CONSTRAINT proof;\n")}

	return b
}

func changes() map[string]change {
	list := map[string]change{}

	const insertOld = "INSERT INTO customers (id, name, email, cents, fax) VALUES (10000 + $1 * 1000000 + $2, 'a b', $1 || '-' || $2 || '@old', 1, '')"

	list["add column"] = change{
		bundle: migrations("ALTER TABLE customers ADD COLUMN phone text;\n",
			"ALTER TABLE customers DROP COLUMN phone;\n", "", ""),
		old: []string{insertOld, "UPDATE customers SET name = 'n ' || $2 WHERE id = $1",
			"SELECT name = 'n ' || $2 FROM customers WHERE id = $1"},
		new: []string{"UPDATE customers SET phone = $2 WHERE id = $1",
			"SELECT phone = $2::text FROM customers WHERE id = $1"},
		expanded: columnsBefore + " phone:text", contracted: columnsBefore + " phone:text",
		after: "(SELECT count(phone) FROM customers) > 0",
	}

	trigger, untrigger := both("NEW.code := coalesce(NEW.code, 'c' || NEW.id);")
	list["add NOT NULL column"] = change{
		bundle: proven(migrations("ALTER TABLE customers ADD COLUMN code text;\n"+trigger, untrigger+
			"ALTER TABLE customers DROP COLUMN code;\n",
			"code IS NULL => code = 'c' || id", untrigger), "code"),
		old: []string{insertOld, "UPDATE customers SET name = 'n ' || $2 WHERE id = $1",
			"SELECT name = 'n ' || $2 FROM customers WHERE id = $1"},
		new: []string{"INSERT INTO customers (id, name, email, cents, fax, code) VALUES (10000 + $1 * 1000000 + $2, 'a b', $1 || '-' || $2 || '@new', 1, '', 'mine')",
			"UPDATE customers SET code = 'x' || $2 WHERE id = $1", "SELECT code = 'x' || $2 FROM customers WHERE id = $1"},
		expanded: "cents:integer! code:text email:text! fax:text! id:bigint! name:text!", contracted: "cents:integer! code:text! email:text! fax:text! id:bigint! name:text!",
		whileBoth: "code IS NOT NULL", after: "code IS NOT NULL",
	}

	trigger, untrigger = both(`IF TG_OP = 'INSERT' AND NEW.name IS NULL OR TG_OP = 'UPDATE' AND NEW.full_name IS DISTINCT FROM OLD.full_name
		THEN NEW.name := NEW.full_name; ELSE NEW.full_name := NEW.name; END IF;`)
	list["rename column"] = change{
		bundle: proven(migrations("ALTER TABLE customers ADD COLUMN full_name text;\n"+trigger, untrigger+
			"ALTER TABLE customers DROP COLUMN full_name;\n",
			"full_name IS NULL => full_name = name", untrigger+
				"ALTER TABLE customers DROP COLUMN name;\n"), "full_name"),
		old: []string{insertOld, "UPDATE customers SET name = 'n ' || $2 WHERE id = $1",
			"SELECT name = 'n ' || $2 FROM customers WHERE id = $1"},
		new: []string{"INSERT INTO customers (id, full_name, email, cents, fax) VALUES (10000 + $1 * 1000000 + $2, 'c d', $1 || '-' || $2 || '@new', 1, '')",
			"UPDATE customers SET full_name = 'f ' || $2 WHERE id = $1", "SELECT full_name = 'f ' || $2 FROM customers WHERE id = $1"},
		expanded: "cents:integer! email:text! fax:text! full_name:text id:bigint! name:text!", contracted: "cents:integer! email:text! fax:text! full_name:text! id:bigint!",
		whileBoth: "full_name = name", after: "full_name ~ '^(Ada[0-9]+ Byron[0-9]+|a b|c d|[nf] [0-9]+)$'",
		afterRollback: "name ~ '^(Ada[0-9]+ Byron[0-9]+|a b|c d|[nf] [0-9]+)$'",
	}

	trigger, untrigger = both(`IF TG_OP = 'INSERT' AND NEW.name IS NULL OR TG_OP = 'UPDATE' AND (NEW.first, NEW.last) IS DISTINCT FROM (OLD.first, OLD.last)
		THEN NEW.name := concat_ws(' ', NEW.first, NEW.last); ELSE NEW.first := split_part(NEW.name, ' ', 1); NEW.last := split_part(NEW.name, ' ', 2); END IF;`)
	list["split column"] = change{
		bundle: migrations("ALTER TABLE customers ADD COLUMN first text, ADD COLUMN last text;\n"+trigger,
			untrigger+"ALTER TABLE customers DROP COLUMN first, DROP COLUMN last;\n",
			"first IS NULL => first = split_part(name, ' ', 1), last = split_part(name, ' ', 2)", untrigger+
				"ALTER TABLE customers DROP COLUMN name;\n"),
		old: []string{insertOld, "UPDATE customers SET name = 'n ' || $2 WHERE id = $1",
			"SELECT name = 'n ' || $2 FROM customers WHERE id = $1"},
		new: []string{"INSERT INTO customers (id, first, last, email, cents, fax) VALUES (10000 + $1 * 1000000 + $2, 'c', 'd', $1 || '-' || $2 || '@new', 1, '')",
			"UPDATE customers SET first = 'f', last = $2 WHERE id = $1", "SELECT first = 'f' AND last = $2::text FROM customers WHERE id = $1"},
		expanded: "cents:integer! email:text! fax:text! first:text id:bigint! last:text name:text!", contracted: "cents:integer! email:text! fax:text! first:text id:bigint! last:text",
		whileBoth: "name = first || ' ' || last", after: "first || ' ' || last ~ '^(Ada[0-9]+ Byron[0-9]+|a b|c d|[nf] [0-9]+)$'",
		afterRollback: "name ~ '^(Ada[0-9]+ Byron[0-9]+|a b|c d|[nf] [0-9]+)$'",
	}

	trigger, untrigger = both(`IF TG_OP = 'INSERT' AND NEW.cents IS NULL OR TG_OP = 'UPDATE' AND NEW.amount IS DISTINCT FROM OLD.amount
		THEN NEW.cents := NEW.amount * 100; ELSE NEW.amount := NEW.cents / 100.0; END IF;`)
	list["change type"] = change{
		bundle: migrations("ALTER TABLE customers ADD COLUMN amount numeric(12,2);\n"+trigger, untrigger+
			"ALTER TABLE customers DROP COLUMN amount;\n",
			"amount IS NULL => amount = cents / 100.0", untrigger+
				"ALTER TABLE customers DROP COLUMN cents;\n"),
		old: []string{insertOld, "UPDATE customers SET cents = $2 WHERE id = $1",
			"SELECT cents = $2 FROM customers WHERE id = $1"},
		new: []string{"INSERT INTO customers (id, name, email, amount, fax) VALUES (10000 + $1 * 1000000 + $2, 'a b', $1 || '-' || $2 || '@new', 1.25, '')",
			"UPDATE customers SET amount = $2 + 0.5 WHERE id = $1", "SELECT amount = $2 + 0.5 FROM customers WHERE id = $1"},
		expanded: "amount:numeric cents:integer! email:text! fax:text! id:bigint! name:text!", contracted: "amount:numeric email:text! fax:text! id:bigint! name:text!",
		whileBoth: "cents = amount * 100", after: "amount IS NOT NULL", afterRollback: "cents IS NOT NULL",
	}

	list["drop column"] = change{
		bundle: migrations("ALTER TABLE customers ALTER COLUMN fax SET DEFAULT '';\n",
			"ALTER TABLE customers ALTER COLUMN fax DROP DEFAULT;\n",
			"", "ALTER TABLE customers DROP COLUMN fax;\n"),
		old: []string{insertOld, "UPDATE customers SET fax = $2 WHERE id = $1",
			"SELECT fax = $2::text FROM customers WHERE id = $1"},
		new: []string{"INSERT INTO customers (id, name, email, cents) VALUES (10000 + $1 * 1000000 + $2, 'a b', $1 || '-' || $2 || '@new', 1)",
			"UPDATE customers SET name = 'n ' || $2 WHERE id = $1", "SELECT name = 'n ' || $2 FROM customers WHERE id = $1"},
		expanded: columnsBefore, contracted: "cents:integer! email:text! id:bigint! name:text!",
		whileBoth: "fax IS NOT NULL", after: "name IS NOT NULL", afterRollback: "fax IS NOT NULL",
	}

	list["add table with foreign key"] = change{
		bundle: migrations("CREATE TABLE addresses (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer bigint NOT NULL REFERENCES customers ON DELETE CASCADE, city text NOT NULL);\n"+
			"CREATE INDEX ON addresses (customer);\n", "DROP TABLE addresses;\n", "", ""),
		old: []string{insertOld, "UPDATE customers SET name = 'n ' || $2 WHERE id = $1",
			"DELETE FROM customers WHERE id = 10000 + $1 * 1000000 + $2"},
		new: []string{"INSERT INTO addresses (customer, city) VALUES ($1, $2)",
			"SELECT city = $2::text FROM addresses WHERE customer = $1 ORDER BY id DESC LIMIT 1",
			"UPDATE customers SET name = 'n ' || $2 WHERE id = $1"},
		expanded: columnsBefore, contracted: columnsBefore,
		after: "(SELECT count(*) FROM addresses) > 0",
	}

	unique := bundleOf("expand/00002_index.sql", `-- +goose NO TRANSACTION
-- +goose Up
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS one_email ON customers (email);
-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS one_email;
`, "expand/00003_unique.sql", `-- +goose Up
ALTER TABLE customers ADD CONSTRAINT one_email UNIQUE USING INDEX one_email;
-- +goose Down
ALTER TABLE customers DROP CONSTRAINT one_email;
`)
	list["add unique constraint"] = change{
		bundle: unique,
		old: []string{insertOld, "UPDATE customers SET email = $1 || '+' || $2 WHERE id = $1",
			"SELECT email = $1 || '+' || $2 FROM customers WHERE id = $1"},
		new: []string{"INSERT INTO customers (id, name, email, cents, fax) VALUES ($1, 'a b', $1 || '+' || $2, 1, '') ON CONFLICT (id) DO UPDATE SET email = excluded.email",
			"INSERT INTO customers (id, name, email, cents, fax) VALUES (900000 + $2, 'a b', $1 || '+' || $2, 1, '') ON CONFLICT (email) DO NOTHING",
			"SELECT count(*) = 1 FROM customers WHERE email = $1 || '+' || $2"},
		expanded: columnsBefore, contracted: columnsBefore,
		after: "(SELECT contype = 'u' AND convalidated FROM pg_constraint WHERE conname = 'one_email')",
	}

	return list
}

// Clients of both versions read and write all the time. None sees an error, and each reads what it
// wrote.
func TestChange(t *testing.T) {
	for name, c := range changes() {
		for _, end := range []string{"contract", "rollback"} {
			t.Run(name+" to "+end, func(t *testing.T) {
				if err := lint.Check(c.bundle); err != nil {
					t.Fatal(err)
				}

				url := postgrestest.Database(t)
				d := open(t, url, Options{LockTimeout: time.Second})
				release(t, d, "v1", bundleOf("expand/00001_customers.sql", customersTable))
				phase(t, d, "before", columnsBefore, "true")

				old := live(t, url, "v1", c.old)
				old.written(t)

				r := expand(t, d, "v2", c.bundle)
				if _, declared := c.bundle["backfill/change.json"]; declared && r.Backfilled["change"] == 0 ||
					len(r.Untried) > 0 {
					t.Errorf("expand: %s", r)
				}

				fresh := live(t, url, "v2", c.new)
				old.written(t)
				fresh.written(t)
				phase(t, d, "expanded", c.expanded, c.whileBoth)

				if end == "rollback" {
					fresh.stop()
					undo(t, d, "v2")
					old.written(t)
					old.stop()
					phase(t, d, "rolled back", columnsBefore, c.afterRollback)

					if rows := column(t, d, "SELECT 'left ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace UNION ALL SELECT 'left ' || conname FROM pg_constraint WHERE conname = 'one_email' UNION ALL SELECT 'left ' || relname FROM pg_class WHERE relname IN ('addresses', 'one_email')"); len(rows) > 0 {
						t.Errorf("rolled back: %v", rows)
					}

					return
				}

				old.stop()
				contract(t, d, "v2", c.bundle)
				fresh.written(t)
				fresh.stop()
				phase(t, d, "contracted", c.contracted, c.after)
			})
		}
	}
}

// phase checks the table's columns ("!" for NOT NULL), the condition of each row, and that no row
// is lost.
func phase(t *testing.T, d *Database, when, columns, rows string) {
	t.Helper()

	got := strings.Join(column(t, d, `SELECT column_name || ':' || data_type || CASE is_nullable WHEN 'NO' THEN '!' ELSE '' END
		FROM information_schema.columns WHERE table_name = 'customers' ORDER BY 1`), " ")
	if got != columns {
		t.Errorf("%s: the columns are %s\nexpected %s", when, got, columns)
	}

	if rows == "" {
		rows = "true"
	}

	if got := column(t, d, "SELECT customers::text FROM customers WHERE ("+rows+
		") IS NOT TRUE LIMIT 3"); len(got) > 0 {
		t.Errorf("%s: %s does not hold for %v", when, rows, got)
	}

	if got := column(t, d, "SELECT count(*) FROM customers WHERE id <= 1500")[0]; got != "1500" {
		t.Errorf("%s: %s of the 1500 rows are there", when, got)
	}
}

// application is one version's clients.
type application struct {
	rounds atomic.Int64
	stop   func()
}

// live starts clients that run their statements again and again, each on rows of its own.
func live(t *testing.T, url, version string, statements []string) *application {
	t.Helper()

	const clients = 3

	ctx, cancel := context.WithCancel(context.Background())
	a := &application{}

	var all sync.WaitGroup

	for n := range clients {
		conn, err := pgx.Connect(t.Context(), url+"&application_name=shop@"+version)
		if err != nil {
			t.Fatal(err)
		}

		all.Go(func() {
			defer conn.Close(context.Background())

			for i := 1; ctx.Err() == nil; i++ {
				id := 1 + 2*n + 6*(i%100) // no two clients', and no two versions', the same
				if version == "v2" {
					id++
				}

				for _, s := range statements {
					if err := carryOut(conn, s, id, i); err != nil {
						t.Errorf("a client of %s: %s with %d, %d: %v", version, s, id, i, err)
						return
					}
				}

				a.rounds.Add(1)
				time.Sleep(time.Millisecond)
			}
		})
	}

	a.stop = sync.OnceFunc(func() { cancel(); all.Wait() })
	t.Cleanup(a.stop)

	return a
}

func carryOut(conn *pgx.Conn, statement string, id, i int) error {
	// The argument is text, so that a statement may use it as a text or as a number.
	mode := pgx.QueryExecModeSimpleProtocol
	if !strings.HasPrefix(statement, "SELECT") {
		_, err := conn.Exec(context.Background(), statement, mode, id, i)
		return err
	}

	var holds bool
	if err := conn.QueryRow(context.Background(), statement, mode, id, i).Scan(&holds); err != nil {
		return err
	}

	if !holds {
		return errors.New("it does not read what it wrote")
	}

	return nil
}

// written waits until the clients have made some more rounds.
func (a *application) written(t *testing.T) {
	t.Helper()

	for from, began := a.rounds.Load(), time.Now(); a.rounds.Load() < from+
		30; time.Sleep(5 * time.Millisecond) {
		if t.Failed() {
			t.FailNow()
		}

		if time.Since(began) > time.Minute {
			t.Fatal("the clients stand still")
		}
	}
}
