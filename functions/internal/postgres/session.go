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

// session is one connection that holds the lock on the database. All work runs on that connection,
// so that whoever loses it loses the lock with it and not one without the other. (Goose's own
// locker would lock each file by itself, and let another run in between expand and backfill.)
type session struct {
	*sql.DB // the one connection
	options Options
	conn    *stdlib.Conn
	watch   *watch
	strain  string        // the query that asks how busy the database is
	worked  bool          // whether anything was done that a next run need not do
	lost    time.Duration // what tries took that came to nothing
}

// locked runs work while holding the lock, waiting for it as long as the context allows. Time that
// runs out once something was done, or while somebody else works, is ErrOutOfTime.
func (d *Database) locked(ctx context.Context, work func(context.Context, *session) error) error {
	outer := ctx

	ctx, cancel := withMargin(ctx)
	defer cancel()

	conn, err := d.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", reached(err))
	}
	defer conn.Close()

	s := &session{options: d.options}

	err = conn.Raw(func(raw any) error {
		s.conn = raw.(*stdlib.Conn)
		s.DB = sql.OpenDB(&pinned{conn: borrowed{s.conn}})

		s.SetMaxOpenConns(1)
		defer s.Close()

		if err := s.lock(ctx); err != nil {
			return err
		}
		defer s.unlock(outer)

		s.watch = d.watch(ctx, s.conn.Conn().PgConn().PID())
		defer s.watch.end()

		if err := s.prepare(ctx); err != nil {
			return err
		}

		return work(ctx, s)
	})
	if err != nil && s.worked && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrOutOfTime, err)
	}

	return reached(err)
}

// withMargin ends the work a little before the context does: what was cut off must be rolled back
// and reported in the time that is left.
func withMargin(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}

	return context.WithDeadline(ctx, deadline.Add(-min(5*time.Second, time.Until(deadline)/10)))
}

// lock asks again and again: a session that waited in one statement would stand in the way of an
// index that the holder builds concurrently, and so for ever.
func (s *session) lock(ctx context.Context) error {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		var got bool

		err := s.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", lockKey).Scan(&got)
		switch {
		case got:
			return nil
		case err == nil:
			s.worked = true // somebody does
			err = pause(ctx, wait)
		}

		if err != nil && s.worked {
			return fmt.Errorf("wait for another run that changes this schema: %w", err)
		}

		if err != nil {
			return fmt.Errorf("lock the schema: %w", err)
		}
	}
}

// unlock spares the next run the wait until the server has seen this connection go.
func (s *session) unlock(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()

	_, _ = s.ExecContext(ctx, "SELECT pg_advisory_unlock_all()")
}

// pause waits for about that long.
func pause(ctx context.Context, about time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(about/2 + rand.N(about)):
		return nil
	}
}

// pinned hands out the one connection, and no other when that is lost.
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

// borrowed is a connection that somebody else closes. Its errors name the statement.
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

// excerpt is the beginning of a statement, on one line and without the comments before it.
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
