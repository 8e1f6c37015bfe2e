package postgres

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// watch protects the application while a session works. If a query of the application has waited
// for the session's locks for as long as LockTimeout allows, it cancels the session's statement.
// The server's lock_timeout does not do that: it bounds how long the session waits for its own
// locks, and not how long it then holds them.
type watch struct {
	mu   sync.Mutex // held during a look, so that cutOff sees its result
	cut  int32      // why the running try was canceled; 0 if it was not
	stop context.CancelFunc
	done chan struct{}
}

const (
	cutWaiting = 1 + iota // it waited for a lock itself, and the application queued behind it
	cutHolding            // it held the lock that the application waited for
)

// watch watches a backend, by its process id, from a connection of its own, until end.
func (d *Database) watch(ctx context.Context, backend uint32) *watch {
	ctx, stop := context.WithCancel(ctx)

	w := &watch{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(w.done)

		conn, err := d.aside.Conn(ctx)
		if err != nil {
			return // there is no connection to spare; the lock timeout still applies
		}
		defer conn.Close()

		period := min(50*time.Millisecond, max(time.Millisecond, d.options.LockTimeout/4))
		for pauseExactly(ctx, period) {
			// A query that is just in time now would be late at the next look.
			w.look(ctx, conn, backend, d.options.LockTimeout-period)
		}
	}()

	return w
}

// look cancels the backend's statement if a query of the application has waited for it for longer
// than limit. That rolls back the transaction, and so frees its locks.
func (w *watch) look(ctx context.Context, conn *sql.Conn, backend uint32, limit time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()

	var (
		cut      int32
		canceled bool
	)
	// It is one statement, so that it cancels the statement that it has looked at, and not the next.
	err := conn.QueryRowContext(ctx, `
		SELECT CASE WHEN EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)
			THEN $3::int ELSE $4::int END, pg_cancel_backend($1::int)
		WHERE EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
			WHERE NOT l.granted AND l.waitstart < clock_timestamp() - $2::bigint * interval '1 ms'
				AND coalesce(a.backend_type, 'client backend') = 'client backend'
				AND a.application_name <> 'lockstep'
				AND $1::int = ANY (pg_blocking_pids(l.pid)))`,
		backend, limit.Milliseconds(), cutWaiting, cutHolding).Scan(&cut, &canceled)
	if err == nil { // otherwise it is sql.ErrNoRows: no query waits
		w.cut = cut
	}
}

// end stops the watch, and waits for its last look.
func (w *watch) end() {
	w.stop()
	<-w.done
}

// cutOff tells why the watch canceled a try that failed with err, or 0 if it did not, and resets
// it for the next try.
func (w *watch) cutOff(err error) int32 {
	w.mu.Lock()
	defer w.mu.Unlock()

	cut := w.cut

	w.cut = 0
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && pg.Code == "57014" { // query_canceled
		return cut
	}

	return 0
}

// pauseExactly waits; false if ctx ends before.
func pauseExactly(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
