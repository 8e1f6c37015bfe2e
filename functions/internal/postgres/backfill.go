package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

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
