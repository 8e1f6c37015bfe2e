package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestExpand_TwoAtOnce_OneWaits(t *testing.T) {
	d, _ := shop(t, 20)

	var (
		all             sync.WaitGroup
		applied, filled atomic.Int64
	)

	for range 3 {
		all.Go(func() {
			r, err := d.Expand(t.Context(), "v2", slow)
			if err != nil {
				t.Error(err)
			}

			applied.Add(int64(len(r.Applied)))
			filled.Add(r.Backfilled["x"])
		})
	}

	all.Wait()

	if applied.Load() != 1 || filled.Load() != 3*20 {
		t.Errorf("applied %d files and saw %d rows, expected 1 and all three 20", applied.Load(),
			filled.Load())
	}
}

func TestExpand_LockHeldByAnother_SaysSo(t *testing.T) {
	d, _ := shop(t, 1)
	holding(t, d, fmt.Sprintf("SELECT pg_advisory_lock(%d)", lockKey))

	_, err := d.Expand(within(t, 2*time.Second), "v3", v3)
	if !errors.Is(err, ErrOutOfTime) || !strings.Contains(err.Error(), "another call") {
		t.Errorf("got %v", err)
	}
}

func TestExpand_ApplicationInTheWay(t *testing.T) {
	_, url := shop(t, 1)
	d := open(t, url, Options{LockTimeout: 50 * time.Millisecond, Patience: 400 * time.Millisecond})
	release := holding(t, d, "LOCK TABLE customers IN ACCESS SHARE MODE")
	began := time.Now()

	_, err := d.Expand(t.Context(), "v3", v3)
	if took := time.Since(began); err == nil || took < 400*time.Millisecond || took > 5*time.Second {
		t.Errorf("gave up after %v: %v", took, err)
	} else if !strings.Contains(err.Error(), "expand/00003_phone.sql") ||
		!strings.Contains(err.Error(), "in the way") {
		t.Errorf("%v: does not say what was waited for", err)
	}

	time.AfterFunc(150*time.Millisecond, release)
	expand(t, d, "v3", v3)
}

// Both versions write all the time: from before expand until after contract, and from expand until
// the rollback.
func TestRelease_UnderLoad_NoClientSeesAnError(t *testing.T) {
	for _, end := range []string{"contract", "rollback"} {
		t.Run(end, func(t *testing.T) {
			d, url := shop(t, 3000)
			bigger := all(v2)
			file := *bigger["backfill/customers.json"]
			file.Data = []byte(strings.Replace(string(file.Data), `"batch": 3`, `"batch": 100`, 1))
			bigger["backfill/customers.json"] = &file

			old := clients(t, url, "old",
				"INSERT INTO customers (name) VALUES ($1 || ' ' || $2)", "UPDATE customers SET name = $2 || ' ' || $3 WHERE id = $1", "SELECT name FROM customers WHERE id = $1")
			r := expand(t, d, "v2", bigger)
			fresh := clients(t, url, "new",
				"INSERT INTO customers (first_name, last_name) VALUES ($1, $2)", "UPDATE customers SET first_name = $2, last_name = $3 WHERE id = $1",
				"SELECT first_name || ' ' || last_name FROM customers WHERE id = $1")

			time.Sleep(300 * time.Millisecond)

			if got := column(t, d, "SELECT count(*) FROM customers WHERE name IS DISTINCT FROM first_name || ' ' || last_name")[0]; got != "0" {
				t.Errorf("%s rows say different things to the two versions", got)
			}

			if end == "contract" {
				old()
				contract(t, d, "v2", bigger)
				time.Sleep(100 * time.Millisecond)
				fresh()
			} else {
				fresh()
				undo(t, d, "v2")
				time.Sleep(100 * time.Millisecond)
				old()
			}

			t.Logf("%d rows backfilled, %s in the end", r.Backfilled["customer-names"],
				column(t, d, "SELECT count(*) FROM customers")[0])

			name := map[string]string{"contract": "first_name || ' ' || last_name", "rollback": "name"}[end]
			if got := column(t, d, "SELECT count(*) FROM customers WHERE "+name+
				" !~ '^[A-Za-z0-9]+ [A-Za-z0-9]+$'"); got[0] != "0" {
				t.Errorf("%s rows lost their names", got)
			}
		})
	}
}

// clients write and read in several connections until stopped. Then it checks that they wrote
// something, saw no error, and read only what they wrote themselves.
func clients(t *testing.T, url, label, insert, update, read string) (stop func()) {
	t.Helper()

	const each = 3

	ctx, cancel := context.WithCancel(t.Context())

	var (
		all    sync.WaitGroup
		writes atomic.Int64
	)

	for n := range each {
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}

		all.Go(func() {
			defer conn.Close(context.Background())

			for i := int64(0); ctx.Err() == nil; i++ {
				// Each client has rows of its own, so that it knows what it must read.
				id := 1 + (i*each+int64(n))%300*2
				if label == "new" {
					id++
				}

				first, last := fmt.Sprintf("%s%d", label, n), fmt.Sprintf("L%d", i)

				var got string

				_, err1 := conn.Exec(context.Background(), insert, first, last)
				_, err2 := conn.Exec(context.Background(), update, id, first, last)

				err3 := conn.QueryRow(context.Background(), read, id).Scan(&got)
				if err := errors.Join(err1, err2, err3); err != nil {
					t.Errorf("%s client: %v", label, err)
					return
				}

				if got != first+" "+last {
					t.Errorf("%s client wrote %s %s and read %s", label, first, last, got)
					return
				}

				writes.Add(2)
				time.Sleep(time.Millisecond)
			}
		})
	}

	return sync.OnceFunc(func() {
		cancel()
		all.Wait()

		if writes.Load() < 20 {
			t.Errorf("%s clients wrote %d times, expected more", label, writes.Load())
		}
	})
}
