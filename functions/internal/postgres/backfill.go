package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"lockstep/statemachine/migration"
)

// backfill is a declared backfill that runs.
type backfill struct{ migration.Backfill }

// from is the FROM and WHERE of a query for the rows that are still to be filled.
func (b backfill) from() string {
	return " FROM " + pgx.Identifier(strings.Split(b.Table, ".")).Sanitize() + " WHERE (" + b.Where +
		"\n)"
}

func (b backfill) key() string { return pgx.Identifier{b.Key}.Sanitize() }

// querier is a connection or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// left counts the rows that are still to be filled.
func (b backfill) left(ctx context.Context, q querier) (left int64, err error) {
	if err := q.QueryRowContext(ctx, "SELECT count(*)"+b.from()).Scan(&left); err != nil {
		return 0, fmt.Errorf("%s: count the rows left: %w", b.File, err)
	}

	return left, nil
}

// settle closes the backfill for good, if it is complete. Otherwise its error is ErrRowsLeft.
func (b backfill) settle(ctx context.Context, tx *sql.Tx) error {
	var settled bool

	err := tx.QueryRowContext(ctx, "SELECT settled FROM lockstep_backfills WHERE name = $1",
		b.Name).Scan(&settled)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s: %w: it has not begun", b.File, ErrRowsLeft)
	}

	if err != nil {
		return fmt.Errorf("%s: read its progress: %w", b.File, err)
	}

	if settled {
		return nil
	}

	left, err := b.left(ctx, tx)
	if err != nil {
		return err
	}

	if left > 0 {
		return fmt.Errorf("%s: %w: %d rows of %s left where %s", b.File, ErrRowsLeft, left, b.Table,
			b.Where)
	}

	if _, err := tx.ExecContext(ctx, "UPDATE lockstep_backfills SET settled = true WHERE name = $1",
		b.Name); err != nil {
		return fmt.Errorf("%s: record that it is complete: %w", b.File, err)
	}

	return nil
}

// fill runs a backfill until no row is left, and counts its rows over all calls; 0 for a backfill
// that an earlier release completed. It passes over the table in the order of the key. It leaves
// rows that are locked to the next pass, so it never waits for the application, and is never part
// of a deadlock.
func (s *session) fill(ctx context.Context, release string, b backfill) (rows int64, err error) {
	var settled, ours bool

	err = s.QueryRowContext(ctx, `
		INSERT INTO lockstep_backfills (name, release) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET name = $1 RETURNING rows, settled, release = $2`,
		b.Name, release).Scan(&rows, &settled, &ours)
	if err != nil {
		return 0, fmt.Errorf("%s: read its progress: %w", b.File, err)
	}

	if settled && !ours {
		return 0, nil
	}

	if settled {
		return rows, nil
	}

	patience, least := time.Now().Add(s.options.Patience), int64(-1)
	for pass := 1; ; pass++ {
		if rows, err = s.pass(ctx, b, pass); err != nil {
			return rows, err
		}

		left, err := b.left(ctx, s)
		if err != nil || left == 0 {
			return rows, err
		}

		if least < 0 || left < least {
			patience, least = time.Now().Add(s.options.Patience), left
		}

		if time.Now().After(patience) {
			return rows, fmt.Errorf("%s: %w: %d rows of %s stay locked, or new ones come as fast as they "+
				"are filled", b.File, ErrRowsLeft, left, b.Table)
		}

		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return rows, fmt.Errorf("%s: %d rows left: %w", b.File, left, err)
		}
	}
}

// pass passes once over the table, from the key that an earlier call reached.
func (s *session) pass(ctx context.Context, b backfill, pass int) (rows int64, err error) {
	size := b.Batch

	for took := time.Duration(0); ; {
		var done bool

		if err := s.yield(ctx, b, took); err != nil {
			return rows, err
		}

		err := s.patiently(ctx, func() (err error) {
			began := time.Now()
			rows, done, err = s.batch(ctx, b, pass, size)
			took = time.Since(began)
			size = resized(size, b.Batch, took, s.options.LockTimeout)

			return err
		})
		if err != nil {
			return rows, fmt.Errorf("%s: %w", b.File, err)
		}

		if done {
			return rows, nil
		}

		s.worked = true
	}
}

// resized is the size of the next batch. It keeps a batch well below the time that the application
// may wait, since the application waits for a whole batch where it changes one of its rows.
func resized(size, most int, took, limit time.Duration) int {
	switch {
	case took > limit/4:
		return max(1, size/2)
	case took < limit/16:
		return min(most, size*2)
	}

	return size
}
