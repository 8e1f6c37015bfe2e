package functions_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"lockstep/infra/local/postgres/postgrestest"
	"lockstep/infra/local/stack"
	sm "lockstep/statemachine"
)

// The migrations of a release that splits a name into two.
var (
	makesCustomers = map[string]string{"expand/00001_customers.sql": `-- +goose Up
create table customers (id bigint primary key generated always as identity, name text not null);
insert into customers (name) values ('Ada Lovelace'), ('Alan Turing');
-- +goose Down
drop table customers;
`}
	splitsNames = map[string]string{
		"expand/00002_split.sql": `-- +goose Up
alter table customers add column first_name text;
-- +goose Down
alter table customers drop column first_name;
`,
		"backfill/names.json": `{"name":"names","table":"customers","key":"id","where":"first_name is null","batch":1,
			"statement":"update customers set first_name = split_part(name, ' ', 1) where id = any($1)"}`,
		"contract/00002_drop.sql": "-- +goose Up\nalter table customers drop column name;\n",
	}
	breaksOff = map[string]string{"expand/00003_more.sql": `-- +goose Up
alter table customers add column age int;
alter table nobody_has_this add column age int;
-- +goose Down
alter table customers drop column age;
`}
)

const (
	before     = "id,name: Ada Lovelace Alan Turing"
	expanded   = "first_name,id,name: Ada Lovelace Alan Turing"
	contracted = "first_name,id: Ada Alan"
)

// customers is the table as it is: its columns, and what is in it.
func customers(t *testing.T, db *sql.DB) string {
	t.Helper()

	var columns, values string

	err := db.QueryRow(`select string_agg(column_name, ',' order by column_name) from information_schema.columns where table_name = 'customers'`).Scan(&columns)
	if err == nil {
		column := "first_name"
		if strings.HasSuffix(columns, "name") && strings.Contains(","+columns, ",name") {
			column = "name"
		}

		err = db.QueryRow("select string_agg(" + column +
			", ' ' order by id) from customers").Scan(&values)
	}

	if err != nil {
		t.Fatal(err)
	}

	return columns + ": " + values
}

// storyWithDatabase is a story on a real Postgres, in which v1 made a table. Its network is real,
// so the virtual clock stands still while Postgres answers.
func storyWithDatabase(t *testing.T, tell func(w *world, customers func() string)) {
	t.Helper()
	address := postgrestest.Database(t)
	synctest.Test(t, func(t *testing.T) {
		db, err := sql.Open("pgx", address)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()

		db.SetMaxIdleConns(0) // nobody waits on a socket while time should pass

		w := settle(t, func(o *stack.Options) { o.Secret = secretFor(t, address) })

		recordCalls(w.stack)
		defer w.close()

		first := everything
		first.migrations = makesCustomers
		w.merge(w.release("v1", 1, first))
		w.ends("v1", sm.Released)
		w.callsAreMeasured()
		w.db, w.secret = db, secretFor(t, address)
		tell(w, func() string { return customers(t, db) })
	})
}

func secretFor(t *testing.T, address string) string {
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}

	password, _ := u.User.Password()

	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = "5432"
	}

	secret, err := json.Marshal(map[string]string{
		"host": host, "port": port, "dbname": strings.TrimPrefix(u.Path,
			"/"), "username": u.User.Username(), "password": password,
		"sslmode": "disable",
	})
	if err != nil {
		t.Fatal(err)
	}

	return string(secret)
}

func TestDatabase_ExpandsRampsAndContracts(t *testing.T) {
	storyWithDatabase(t, func(w *world, customers func() string) {
		expect := func(when, want string) {
			t.Helper()

			if got := customers(); got != want {
				t.Errorf("%s: found %s, expected %s", when, got, want)
			}
		}
		expect("before", before)

		release := everything
		release.migrations = splitsNames
		w.merge(w.release("v2", 2, release))
		w.bakes("v2", 500)
		expect("in the ramp", expanded)
		w.reaches("OldTabsOpen")
		expect("in drain", expanded)
		w.ends("v2", sm.Released)
		expect("after contract", contracted)
		w.took("v2", good)
		w.stands("b", "v1", "v2")

		if texts := fmt.Sprint(w.said("v2", sm.Contract)); !strings.Contains(texts, "no way back") {
			t.Errorf("contract said %s", texts)
		}
	})
}

func TestDatabase_RolledBack(t *testing.T) {
	for name, moment := range map[string]func(w *world){
		"at 25 %":  func(w *world) { w.bakes("v2", 2500) },
		"in drain": func(w *world) { w.reaches("OldTabsOpen") },
	} {
		t.Run(name, func(t *testing.T) {
			storyWithDatabase(t, func(w *world, customers func() string) {
				release := everything
				release.migrations = splitsNames
				w.merge(w.release("v2", 2, release))
				moment(w)

				if got := customers(); got != expanded {
					t.Errorf("before the rollback: found %s", got)
				}

				w.operator(sm.SignalRollback)
				w.reaches("CallsInFlight")

				if got := customers(); got != expanded {
					t.Errorf("while calls are in flight: found %s, expected the wide schema to stay", got)
				}

				w.ends("v2", sm.RolledBack)

				if got := customers(); got != before {
					t.Errorf("after the rollback: found %s, expected %s", got, before)
				}

				w.stands("a", "v1", "v1")
			})
		})
	}
}

func TestDatabase_ExpandFails(t *testing.T) {
	storyWithDatabase(t, func(w *world, customers func() string) {
		release := everything
		release.migrations = breaksOff
		w.merge(w.release("v2", 2, release))
		w.ends("v2", sm.RolledBack)
		w.took("v2", "Begin Sync Expand"+undone)

		if got := customers(); got != before {
			t.Errorf("found %s, expected %s", got, before)
		}

		if cause := w.record("v2").Cause.Text; !strings.Contains(cause, "00003_more.sql") ||
			!strings.Contains(cause, "nobody_has_this") {
			t.Errorf("the reason is %q", cause)
		}

		w.stands("a", "v1", "v1")
	})
}

// A database that restarts or wakes up is waited for, before and after the ramp: it is no fault of
// the release.
func TestDatabase_Away(t *testing.T) {
	for name, step := range map[string]sm.Task{"before expand": sm.Expand,
		"before contract": sm.Contract} {
		t.Run(name, func(t *testing.T) {
			storyWithDatabase(t, func(w *world, customers func() string) {
				release := everything
				release.migrations = splitsNames

				w.before(step, func() { w.databaseIsAway(time.Minute) })
				w.merge(w.release("v2", 2, release))
				w.ends("v2", sm.Released)

				if got := customers(); got != contracted {
					t.Errorf("found %s, expected %s", got, contracted)
				}

				w.took("v2", good)
				w.stands("b", "v1", "v2")
			})
		})
	}
}

// databaseIsAway lets nobody reach the database for a while.
func (w *world) databaseIsAway(d time.Duration) {
	w.stack.Cloud.Secrets.Put("lockstep-"+app, nowhere)
	time.AfterFunc(d, func() { w.stack.Cloud.Secrets.Put("lockstep-"+app, w.secret) })
}

// nowhere is the secret of a database where nobody listens.
const nowhere = `{"host":"127.0.0.1","port":"1","dbname":"shop","username":"shop","password":"secret","sslmode":"disable"}`

// Stopped in contract, a release is finished by the one that takes over.
func TestDatabase_StoppedInContract(t *testing.T) {
	storyWithDatabase(t, func(w *world, customers func() string) {
		release := everything
		release.migrations = splitsNames
		w.merge(w.release("v2", 2, release))
		w.after(sm.Contract, func() { w.stop("v2") })
		w.ends("v2", sm.Released)

		if got := customers(); got != contracted {
			t.Errorf("found %s, expected %s", got, contracted)
		}

		w.stands("b", "v1", "v2")
	})
}
