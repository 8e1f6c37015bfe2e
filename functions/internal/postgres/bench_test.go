package postgres

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"lockstep/infra/local/postgres/postgrestest"
)

var benchRows = flag.Int("rows", 1_000_000, "how many rows BenchmarkMigrate has")

// The benchmark changes the column cents from int to bigint, since it is about to overflow.
const (
	benchTable = `CREATE TABLE orders (id bigint PRIMARY KEY, cents int NOT NULL, note text NOT NULL)`
	naive      = "ALTER TABLE orders ALTER COLUMN cents TYPE bigint"
	benchLimit = 500 * time.Millisecond
)

var widen = bundleOf("expand/00001_amount.sql", `-- +goose Up
ALTER TABLE orders ADD COLUMN amount bigint;
-- +goose StatementBegin
CREATE FUNCTION keep_amount() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF TG_OP = 'INSERT' AND NEW.cents IS NULL OR TG_OP = 'UPDATE' AND NEW.amount IS DISTINCT FROM OLD.amount
		THEN NEW.cents := NEW.amount; ELSE NEW.amount := NEW.cents; END IF;
	RETURN NEW; END $$;
-- +goose StatementEnd
CREATE TRIGGER keep_amount BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION keep_amount();
-- +goose Down
DROP TRIGGER keep_amount ON orders;
DROP FUNCTION keep_amount();
ALTER TABLE orders DROP COLUMN amount;
`, "backfill/amount.json", `{"name": "amount", "table": "orders", "key": "id", "where": "amount IS NULL", "batch": 2000,
	"statement": "UPDATE orders SET amount = cents WHERE id = ANY($1)"}`,
	"contract/00001_cents.sql", `-- +goose Up
DROP TRIGGER keep_amount ON orders;
DROP FUNCTION keep_amount();
ALTER TABLE orders DROP COLUMN cents;
`, "contract/00002_prove.sql", "-- +goose Up\nALTER TABLE orders ADD CONSTRAINT proof CHECK (amount IS NOT NULL) NOT VALID;\n",
	"contract/00003_read.sql", "-- +goose Up\nALTER TABLE orders VALIDATE CONSTRAINT proof;\n",
	"contract/00004_not_null.sql", "-- +goose Up\nALTER TABLE orders ALTER COLUMN amount SET NOT NULL;\nALTER TABLE orders DROP CONSTRAINT proof;\n")

// BenchmarkMigrate changes a type under load, as Lockstep does it and as one ALTER in place does
// it, and reports how long the clients' statements took meanwhile: go test -run '^$' -bench
// Migrate -benchtime 1x .
func BenchmarkMigrate(b *testing.B) {
	idle := func(context.Context, *Database, func()) error { time.Sleep(5 * time.Second); return nil }

	b.Run("nothing", func(b *testing.B) { underLoad(b, idle) })
	b.Run("naive", func(b *testing.B) {
		underLoad(b, func(ctx context.Context, d *Database, _ func()) error {
			conn, err := d.db.Conn(ctx)
			if err != nil {
				return err
			}
			defer conn.Close()

			_, err = conn.ExecContext(ctx, "SET lock_timeout = 0; "+naive)

			return err
		})
	})
	b.Run("lockstep", func(b *testing.B) {
		longest := underLoad(b, func(ctx context.Context, d *Database, promote func()) error {
			if _, err := d.Expand(ctx, "v2", widen); err != nil {
				return err
			}

			promote()

			_, err := d.Contract(ctx, "v2", widen)

			return err
		})
		if longest > benchLimit+100*time.Millisecond {
			b.Errorf("a client waited for %v more than one that touches no table, expected at most the lock timeout of %v and 100 ms", longest, benchLimit)
		}
	})
}

// underLoad runs a migration while clients read and write, old ones until promote and new ones
// after it, and reports how long they waited. It returns the longest wait, less the longest wait
// of a client that touches no table: no lock causes that one.
func underLoad(b *testing.B, migrate func(ctx context.Context, d *Database,
	promote func()) error) (longest time.Duration) {
	for b.Loop() {
		b.StopTimer()
		url := postgrestest.Database(b)
		d := open(b, url, Options{LockTimeout: benchLimit})
		execute(b, d, benchTable)
		execute(b, d, fmt.Sprintf("INSERT INTO orders SELECT n, n, repeat('x', 60) FROM generate_series(1, %d) n", *benchRows))
		execute(b, d, "VACUUM ANALYZE orders")
		l := startLoad(b, url)

		time.Sleep(time.Second)
		l.forget()
		b.StartTimer()

		began := time.Now()
		err := migrate(b.Context(), d, l.promote)
		took := time.Since(began)

		b.StopTimer()

		met := l.stop()

		if err != nil {
			b.Fatal(err)
		}

		longest = met[len(met)-1]

		b.ReportMetric(ms(l.untouched), "untouched-ms")
		b.ReportMetric(ms(met[len(met)/2]), "p50-ms")
		b.ReportMetric(ms(met[len(met)*99/100]), "p99-ms")
		b.ReportMetric(ms(longest), "longest-ms")
		b.ReportMetric(float64(len(met))/took.Seconds(), "statements/s")
		b.ReportMetric(float64(*benchRows)/took.Seconds(), "rows/s")
		b.Logf("p50 %.1f ms, p99 %.1f ms, longest %v, of one that touches no table %v, %.0f rows/s",
			ms(met[len(met)/2]), ms(met[len(met)*99/100]),
			// A failed benchmark reports no metrics.
			longest, l.untouched, float64(*benchRows)/took.Seconds())
		longest -= l.untouched

		b.StartTimer()
	}

	return longest
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// load has clients that read and write one row after the other, and how long each statement took.
type load struct {
	mu        sync.Mutex
	met       []time.Duration
	untouched time.Duration // the longest that a client waited who touches no table
	promoted  bool
	stop      func() []time.Duration
}

func (l *load) forget()  { l.mu.Lock(); l.met, l.untouched = nil, 0; l.mu.Unlock() }
func (l *load) promote() { l.mu.Lock(); l.promoted = true; l.mu.Unlock(); time.Sleep(time.Second) }

func startLoad(b *testing.B, url string) *load {
	const clients = 8

	l := &load{}

	pool, err := pgxpool.New(
		b.Context(), fmt.Sprintf("%s&pool_max_conns=%d&default_query_exec_mode=exec", url, clients+1))
	if err != nil {
		b.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background())

	var all sync.WaitGroup
	all.Go(func() {
		for ctx.Err() == nil {
			began := time.Now()

			if _, err := pool.Exec(context.Background(), "SELECT 1"); err != nil {
				b.Errorf("a client: %v", err)
				return
			}

			l.mu.Lock()
			l.untouched = max(l.untouched, time.Since(began))
			l.mu.Unlock()
			time.Sleep(5 * time.Millisecond)
		}
	})

	for n := range clients {
		all.Go(func() {
			for i := n; ctx.Err() == nil; i += clients {
				l.mu.Lock()
				column := map[bool]string{false: "cents", true: "amount"}[l.promoted]
				l.mu.Unlock()

				id := i*7919%*benchRows + 1
				began := time.Now()

				var err error
				if i/clients%2 == 0 {
					_, err = pool.Exec(context.Background(), "UPDATE orders SET "+column+" = "+column+
						" + 1 WHERE id = $1", id)
				} else {
					_, err = pool.Exec(context.Background(), "SELECT "+column+" FROM orders WHERE id = $1", id)
				}

				took := time.Since(began)

				if err != nil {
					b.Errorf("a client: %v", err)
					return
				}

				l.mu.Lock()
				l.met = append(l.met, took)
				l.mu.Unlock()
				time.Sleep(5 * time.Millisecond) // a load, and not as much as the machine can bear
			}
		})
	}

	l.stop = func() []time.Duration {
		cancel()
		all.Wait()
		pool.Close()
		slices.Sort(l.met)

		return l.met
	}

	return l
}
