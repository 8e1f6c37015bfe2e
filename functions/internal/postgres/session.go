package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
)

// lockKey is "lockstep" in ASCII: the advisory lock under which schemas are changed.
const lockKey int64 = 0x6c6f636b73746570

// session is one connection that holds the schema's lock. All work runs on that connection, so the
// lock is never lost without it. (Goose's own locker would lock each file by itself, and let
// another call in between expand and backfill.)
type session struct {
	*sql.DB // with this connection alone
	options Options
	conn    *stdlib.Conn
	watch   *watch
	strain  string        // the query for the load of the database
	worked  bool          // whether anything was done that the next call need not do
	lost    time.Duration // how long failed tries took, and the pauses after them
}

// lock tries to get the schema's lock until it has it. A session that waited in one statement would
// block a concurrent index build of the lock's holder, and so wait for ever.
func (s *session) lock(ctx context.Context) error {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		var got bool

		err := s.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", lockKey).Scan(&got)
		switch {
		case got:
			return nil
		case err == nil:
			s.worked = true // another call does the work
			err = pause(ctx, wait)
		}

		if err != nil && s.worked {
			return fmt.Errorf("wait for another call that changes this schema: %w", err)
		}

		if err != nil {
			return fmt.Errorf("lock the schema: %w", err)
		}
	}
}

// unlock releases the lock at once. Otherwise the next call would wait until the server notices
// that the connection is closed.
func (s *session) unlock(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()

	_, _ = s.ExecContext(ctx, "SELECT pg_advisory_unlock_all()")
}

// pause waits for half to one and a half of the time, at random.
func pause(ctx context.Context, about time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(about/2 + rand.N(about)):
		return nil
	}
}

// pinned is a connector for one connection only: if that is lost, there is no other.
type pinned struct {
	conn driver.Conn
	lent bool
}

func (p *pinned) Driver() driver.Driver { return stdlib.GetDefaultDriver() }

func (p *pinned) Connect(context.Context) (driver.Conn, error) {
	if p.lent {
		return nil, errors.New("the connection was lost, and the lock with it")
	}

	p.lent = true

	return p.conn, nil
}

// borrowed is a connection that its owner closes. Its errors quote the statement.
type borrowed struct{ *stdlib.Conn }

func (b borrowed) Close() error { return nil }

func (b borrowed) ExecContext(ctx context.Context, query string,
	args []driver.NamedValue) (driver.Result, error) {
	result, err := b.Conn.ExecContext(ctx, query, args)
	if err != nil && !errors.Is(err, driver.ErrBadConn) {
		err = fmt.Errorf("%q: %w", excerpt(query), err)
	}

	return result, err
}

// excerpt is the beginning of a statement, up to 120 characters, on one line and without whole
// lines of comments.
func excerpt(query string) string {
	var words []string

	for line := range strings.Lines(query) {
		if !strings.HasPrefix(strings.TrimSpace(line), "--") {
			words = append(words, strings.Fields(line)...)
		}
	}

	text := []rune(strings.Join(words, " "))
	if len(text) > 120 {
		text = append(text[:117], []rune("...")...)
	}

	return string(text)
}
