package postgres

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"lockstep/infra/local/postgres/postgrestest"
)

// busyFill is a backfill of 20 rows one by one, with the given fields for its limits.
func busyFill(fields string) string {
	return `{"name": "x", "table": "customers", "key": "id", "where": "x IS NULL", "batch": 1, ` + fields + `,
		"statement": "UPDATE customers SET x = 1 WHERE id = ANY($1)"}`
}

func TestBackfill_WaitsForLoad(t *testing.T) {
	d, url := shop(t, 20)
	bundle := all(slow)
	bundle["backfill/x.json"] = bundleOf("x", busyFill(`"maxLoad": 1`))["x"]
	busy, done := context.WithCancel(t.Context())

	for range 2 {
		go func() {
			_, _ = client(t, url, "shop").ExecContext(busy, "SELECT pg_sleep(60)")
		}()
	}

	t.Cleanup(done)
	until(t, d, "SELECT count(*) = 2 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%' AND state = 'active'")
	d2 := open(t, url, Options{})

	_, err := d2.Expand(within(t, 5*time.Second), "v2", bundle)
	if err == nil || !strings.Contains(err.Error(), "backfill/x.json: waited for") ||
		!strings.Contains(err.Error(), "more than maxLoad, 1") {
		t.Fatalf("got %v, expected that it waited", err)
	}

	if got := column(t, d, "SELECT count(x) FROM customers")[0]; got != "0" {
		t.Errorf("filled %s rows meanwhile", got)
	}

	done()

	if r := expand(t, d2, "v2", bundle); r.Backfilled["x"] != 20 {
		t.Errorf("with the database to itself it filled %d rows, expected 20", r.Backfilled["x"])
	}
}

func TestBackfill_WaitsForAReplica(t *testing.T) {
	for name, test := range map[string]struct {
		replay func(now uint64) uint64 // what it says that it has replayed
		maxLag string
		want   string
	}{
		"that lags": {func(now uint64) uint64 { return now - 8 }, "100ms",
			"a replica lagged by"},
		"that stands behind": {func(uint64) uint64 { return 1 }, "1h", "MB behind, more than 64"},
	} {
		t.Run(name, func(t *testing.T) {
			d, url := shop(t, 20)
			bundle := all(slow)
			bundle["backfill/x.json"] = bundleOf("x", busyFill(`"maxLag": "`+test.maxLag+`"`))["x"]

			stop := replica(t, url, test.replay)
			if name == "that lags" {
				// A replica's reply changes its lag only if something was written since.
				until(t, d, "SELECT bool_or(replay_lag > '100 ms') FROM pg_stat_replication",
					"INSERT INTO customers (name) VALUES ('a b'); SELECT pg_sleep(0.2)")
				execute(t, d, "DELETE FROM customers WHERE name = 'a b'")
			} else {
				until(t, d, "SELECT bool_or(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) > 67108864) FROM pg_stat_replication",
					"SELECT pg_switch_wal(); INSERT INTO customers (name) SELECT 'a b' FROM generate_series(1, 1000)")
				execute(t, d, "DELETE FROM customers WHERE name = 'a b'")
			}

			_, err := d.Expand(within(t, 5*time.Second), "v2", bundle)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, expected that it waited", err)
			}

			stop()
			until(t, d, "SELECT count(*) = 0 FROM pg_stat_replication")

			if r := expand(t, d, "v2", bundle); r.Backfilled["x"] != 20 {
				t.Errorf("without the replica it filled %d rows, expected 20", r.Backfilled["x"])
			}
		})
	}
}

// replica is a standby, as the server sees it. It receives everything, and reports to have replayed
// what the function returns.
func replica(t *testing.T, address string, replay func(now uint64) uint64) (stop func()) {
	t.Helper()

	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}

	query := u.Query()
	query.Set("replication", "yes")
	u.RawQuery = query.Encode()

	conn, err := pgconn.Connect(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}

	results, err := conn.Exec(t.Context(), "IDENTIFY_SYSTEM").ReadAll()
	if err != nil {
		t.Fatal(err)
	}

	conn.Frontend().Send(&pgproto3.Query{String: "START_REPLICATION PHYSICAL " +
		string(results[0].Rows[0][2])})

	if err := conn.Frontend().Flush(); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background())

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer conn.Close(context.Background())

		for {
			message, err := conn.ReceiveMessage(ctx)
			if err != nil {
				if ctx.Err() == nil && !errors.Is(err, context.Canceled) {
					t.Errorf("replica: %v", err)
				}

				return
			}

			data, ok := message.(*pgproto3.CopyData)
			if !ok || len(data.Data) < 17 {
				continue
			}

			now := binary.BigEndian.Uint64(data.Data[1:])
			if data.Data[0] == 'w' {
				now += uint64(len(data.Data) - 25)
			}

			time.Sleep(150 * time.Millisecond) // slow enough to lag

			answer := []byte{'r'}
			for _, at := range []uint64{now, now, replay(now), 0} {
				answer = binary.BigEndian.AppendUint64(answer, at)
			}

			conn.Frontend().Send(&pgproto3.CopyData{Data: append(answer, 0)})

			if err := conn.Frontend().Flush(); err != nil {
				return
			}
		}
	}()

	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)

	return stop
}

// client is a client of the application, with one connection.
func client(t *testing.T, url, name string) *sql.DB {
	t.Helper()

	db, err := sql.Open("pgx", url+"&application_name="+name)
	if err != nil {
		t.Fatal(err)
	}

	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })

	return db
}

// reads is a client that reads until it is stopped, and must not see an error.
func reads(t *testing.T, url string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	db := client(t, url, "shop")

	ended := make(chan struct{})
	go func() {
		defer close(ended)

		for ctx.Err() == nil {
			if _, err := db.Exec("SELECT FROM customers"); err != nil {
				t.Errorf("a client: %v", err)
			}
		}
	}()

	return func() { cancel(); <-ended }
}

// until waits until a query returns true, and does something in between.
func until(t *testing.T, d *Database, query string, meanwhile ...string) {
	t.Helper()

	for range 200 {
		if got := column(t, d, query); len(got) == 1 && (got[0] == "t" || got[0] == "true") {
			return
		}

		for _, statement := range meanwhile {
			execute(t, d, statement)
		}

		time.Sleep(20 * time.Millisecond)
	}

	t.Fatalf("%s: still no", query)
}

func TestClients_TellsReleasesApart(t *testing.T) {
	d, url := shop(t, 1)
	idle := func(name string) {
		if _, err := client(t, url, name).Exec("SELECT 1"); err != nil { // and keeps the connection
			t.Fatal(err)
		}
	}

	nobody, err := d.Clients(t.Context(), "v2")
	if err != nil || nobody.Busy(
		time.Hour) || nobody.String() != "the database has no sessions of another release" {
		t.Errorf("with nobody connected: %s, %v", nobody, err)
	}

	idle("shop@v2")
	idle("somebody")
	idle("shop@v1")
	idle("shop@v1")

	c, err := d.Clients(t.Context(), "v2")
	if err != nil {
		t.Fatal(err)
	}

	if c.New.Count != 1 || c.Unnamed.Count != 1 || c.Old["v1"].Count != 2 || len(c.Old) != 1 {
		t.Errorf("found %+v", c)
	}

	if !c.Busy(time.Hour) || c.Busy(time.Nanosecond) {
		t.Errorf("busy within an hour %t, within a nanosecond %t", c.Busy(time.Hour),
			c.Busy(time.Nanosecond))
	}

	said := Clients{Old: map[string]Sessions{"v1": {2, 3 * time.Second}},
		Unnamed: Sessions{1, time.Minute}}
	if got := said.String(); got != "the database has 2 sessions of v1, last used 3s ago; 1 session whose application_name names no release, last used 1m0s ago" {
		t.Errorf("in words: %s", got)
	}
}

func TestExpand_HoldsItsLocksForTooLong_IsCutOff(t *testing.T) {
	_, url := shop(t, 3)
	d := open(t, url, Options{LockTimeout: 200 * time.Millisecond})
	before := schema(t, d)
	long := bundleOf("expand/00002_x.sql", "-- +goose Up\nALTER TABLE customers ADD COLUMN x int;\nSELECT pg_sleep(3);\n-- +goose Down\nALTER TABLE customers DROP COLUMN x;\n")
	stop := reads(t, url)

	_, err := d.Expand(t.Context(), "v2", long)
	if err == nil || !strings.Contains(err.Error(), "expand/00002_x.sql") ||
		!strings.Contains(err.Error(), "holds its locks for too long") {
		t.Errorf("got %v", err)
	}

	stop()
	undo(t, d, "v2")

	if after := schema(t, d); after != before {
		t.Errorf("it left\n%s\nexpected\n%s", after, before)
	}
}

// In a deadlock with Lockstep, the server does not cancel the client.
func TestExpand_InADeadlockWithAClient_GivesWay(t *testing.T) {
	_, url := shop(t, 1)
	d := open(t, url, Options{LockTimeout: time.Minute})
	execute(t, d, "CREATE TABLE other (id int)")

	crossing := bundleOf("expand/00002_x.sql", `-- +goose Up
ALTER TABLE other ADD COLUMN x int;
SELECT pg_sleep(0.3);
ALTER TABLE customers ADD COLUMN x int;
-- +goose Down
ALTER TABLE customers DROP COLUMN x;
ALTER TABLE other DROP COLUMN x;
`)

	tx, err := client(t, url, "shop").Begin()
	if err != nil {
		t.Fatal(err)
	}

	if _, err := tx.Exec("UPDATE customers SET name = 'Grace'"); err != nil {
		t.Fatal(err)
	}

	crossed := make(chan error, 1)

	go func() {
		until(t, d, "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'other'::regclass AND mode = 'AccessExclusiveLock' AND granted)")

		_, err := tx.Exec("INSERT INTO other (id) VALUES (1)")
		crossed <- errors.Join(err, tx.Commit())
	}()

	expand(t, d, "v2", crossing)

	if err := <-crossed; err != nil {
		t.Errorf("the client: %v", err)
	}
}

// Clients that queue behind Lockstep while it waits for another client's transaction do not count
// against the file, however long that takes.
func TestExpand_InLineBeforeClients_GivesWayAndTriesAgain(t *testing.T) {
	_, url := shop(t, 1)
	d := open(t, url, Options{LockTimeout: 100 * time.Millisecond})
	release := holding(t, d, "LOCK TABLE customers IN ACCESS SHARE MODE")
	time.AfterFunc(2*time.Second, release)

	stop := reads(t, url)
	expand(t, d, "v2", bundleOf("expand/00002_x.sql",
		"-- +goose Up\nALTER TABLE customers ADD COLUMN x int;\n-- +goose Down\nALTER TABLE customers DROP COLUMN x;\n"))
	stop()
}

func TestExpand_ContractThatLeavesATriggerBehind_IsFoundInRehearsal(t *testing.T) {
	d, _ := shop(t, 2)
	expand(t, d, "v2", v2) // contracted by a later release, whose bundle does not hold the trigger
	contract(t, d, "v2", bundleOf("expand/00002_split_name.sql",
		string(v2["expand/00002_split_name.sql"].Data)))

	_, err := d.Expand(t.Context(), "v3", all(v3,
		bundleOf("contract/00003_name.sql", "-- +goose Up\nALTER TABLE customers DROP COLUMN name;\n")))
	if err == nil || !strings.Contains(err.Error(),
		"customers.name, which sync_name() of the trigger sync_name still reads") {
		t.Errorf("got %v", err)
	}
}

// blind is the URL for a role that may own tables, but is no member of pg_monitor: it does not see
// what other users' sessions do.
func blind(t *testing.T, d *Database, address string) string {
	t.Helper()

	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}

	name := strings.TrimPrefix(u.Path, "/")
	role := "blind" + name
	execute(t, d, "CREATE ROLE "+role+" LOGIN PASSWORD 'secret'; GRANT CREATE ON DATABASE "+name+
		" TO "+role+"; GRANT CREATE ON SCHEMA public TO "+role)
	t.Cleanup(func() {
		_, _ = d.db.Exec("DROP OWNED BY " + role)
		_, _ = d.db.Exec("DROP ROLE " + role)
	})

	u.User = url.UserPassword(role, "secret")

	return u.String()
}

// Such a role counts every session as a client in use.
func TestClients_OfARoleThatSeesNoStates(t *testing.T) {
	d, address := shop(t, 1)

	unseeing := blind(t, d, address)
	// the connection stays open
	if _, err := client(t, address, "shop@v1").Exec("SELECT 1"); err != nil {
		t.Fatal(err)
	}

	c, err := open(t, unseeing, Options{}).Clients(t.Context(), "v2")
	if err != nil {
		t.Fatal(err)
	}

	if c.Old["v1"].Count != 1 || !c.Busy(time.Millisecond) {
		t.Errorf("found %+v, expected one of v1, in use", c)
	}
}

// Such a role also counts every session as a client that waits: a query that waits for its locks
// too long is let through.
func TestExpand_OfARoleThatSeesNoStates_IsCutOff(t *testing.T) {
	address := postgrestest.Database(t)
	unseeing := blind(t, open(t, address, Options{}), address)
	shopAt(t, unseeing, 1)
	stop := reads(t, address)

	_, err := open(t, unseeing, Options{LockTimeout: 200 * time.Millisecond}).Expand(t.Context(), "v2",
		bundleOf("expand/00002_x.sql",
			"-- +goose Up\nALTER TABLE customers ADD COLUMN x int;\nSELECT pg_sleep(3);\n-- +goose Down\nALTER TABLE customers DROP COLUMN x;\n"))
	if err == nil || !strings.Contains(err.Error(), "holds its locks for too long") {
		t.Errorf("got %v, with a client that waited", err)
	}

	stop()
}
