package postgres

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// watch looks after the application while a session works: whose queries have waited for the
// session's locks for as long as the lock timeout allows, for them the session's statement is cut
// off. The lock timeout alone bounds only how long the session waits for its locks, and not how
// long it then holds them.
type watch struct {
	mu   sync.Mutex // of a look, which ends before anyone asks what it found
	cut  int32      // whether the running try was cut off, and for what
	stop context.CancelFunc
	done chan struct{}
}

const (
	cutWaiting = 1 + iota // as it waited for a lock itself, with the application in line behind it
	cutHolding
)

// start watches a backend from a connection of its own until stopped.
func (d *Database) watch(ctx context.Context, backend uint32) *watch {
	ctx, stop := context.WithCancel(ctx)

	w := &watch{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(w.done)

		conn, err := d.aside.Conn(ctx)
		if err != nil {
			return // no connection to spare: the lock timeout still holds
		}
		defer conn.Close()

		period := min(50*time.Millisecond, max(time.Millisecond, d.options.LockTimeout/4))
		for pauseExactly(ctx, period) {
			// who is not yet late would be at the next look
			w.look(ctx, conn, backend, d.options.LockTimeout-period)
		}
	}()

	return w
}

// look cuts the backend's statement off if others wait for it for too long: it is cut off and not
// only told, since the locks go with the transaction.
func (w *watch) look(ctx context.Context, conn *sql.Conn, backend uint32, limit time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()

	var (
		cut      int32
		canceled bool
	)
	// In one statement: what is cut off is what was looked at, and not what comes after it.
	err := conn.QueryRowContext(ctx, `
		SELECT CASE WHEN EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted) THEN $3::int ELSE $4::int END, pg_cancel_backend($1::int)
		WHERE EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
			WHERE NOT l.granted AND l.waitstart < clock_timestamp() - $2::bigint * interval '1 ms'
				AND coalesce(a.backend_type, 'client backend') = 'client backend' AND a.application_name <> 'lockstep'
				AND $1::int = ANY (pg_blocking_pids(l.pid)))`, backend, limit.Milliseconds(), cutWaiting, cutHolding).Scan(&cut, &canceled)
	if err == nil { // else sql.ErrNoRows: nobody waits
		w.cut = cut
	}
}

func (w *watch) end() {
	w.stop()
	<-w.done
}

// cutOff tells for what a try failed if the watch ended it, and begins anew.
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

func pauseExactly(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
