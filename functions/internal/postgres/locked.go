package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
)

// locked runs work while it holds the schema's lock. It waits for the lock for as long as the
// context allows. A deadline that passes after something was done, or while another call works, is
// ErrOutOfTime.
func (d *Database) locked(ctx context.Context, work func(context.Context, *session) error) error {
	outer := ctx

	ctx, cancel := withMargin(ctx)
	defer cancel()

	conn, err := d.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", unreachable(err))
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

	return unreachable(err)
}

// withMargin is a context that ends up to 5 s before ctx does. The rest is for the rollback of the
// running statement, and for the report.
func withMargin(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}

	return context.WithDeadline(ctx, deadline.Add(-min(5*time.Second, time.Until(deadline)/10)))
}
