package postgres

import (
	"context"
	"database/sql"
	"fmt"
)

// batch fills the next size rows and records, in the same transaction, the last key and the number
// of rows in all. done says that the pass is over. Keys are passed as text, so they may have any
// type.
func (s *session) batch(ctx context.Context, b backfill, pass, size int) (rows int64, done bool,
	err error) {
	tx, err := s.BeginTx(ctx, nil)
	if err != nil {
		return 0, false, err
	}
	defer tx.Rollback()

	var after sql.NullString

	err = tx.QueryRowContext(ctx, "SELECT rows, key FROM lockstep_backfills WHERE name = $1",
		b.Name).Scan(&rows, &after)
	if err != nil {
		return 0, false, fmt.Errorf("read its progress: %w", err)
	}

	keys, last, err := b.next(ctx, tx, after, size)
	if err != nil {
		return rows, false, fmt.Errorf("find the next rows: %w", err)
	}

	if keys.Valid {
		filled, err := b.update(ctx, tx, keys.String, pass)
		if err != nil {
			return rows, false, err
		}

		rows += filled
	}

	// At the end of a pass, last is null: the next pass begins at the first key.
	_, err = tx.ExecContext(ctx, "UPDATE lockstep_backfills SET rows = $2, key = $3 WHERE name = $1",
		b.Name, rows, last)
	if err != nil {
		return rows, false, fmt.Errorf("record its progress: %w", err)
	}

	return rows, !keys.Valid, tx.Commit()
}

// next locks the next rows that nobody else has locked. It returns their keys, as the text of an
// array, and the last key; both are null if there are no more rows.
func (b backfill) next(ctx context.Context, tx *sql.Tx, after sql.NullString, size int) (keys,
	last sql.NullString, err error) {
	var (
		beyond string
		args   []any
	)
	if after.Valid {
		beyond, args = " AND "+b.key()+" > $1", []any{after.String}
	}

	query := fmt.Sprintf(`
		WITH batch AS (SELECT %s AS key%s%s ORDER BY 1 LIMIT %d FOR NO KEY UPDATE SKIP LOCKED)
		SELECT array_agg(key ORDER BY key)::text, (array_agg(key ORDER BY key DESC))[1]::text FROM batch`,
		b.key(), b.from(), beyond, size)
	err = tx.QueryRowContext(ctx, query, args...).Scan(&keys, &last)

	return keys, last, err
}

// update runs the statement on the rows with these keys, and counts the rows that it changed. From
// the second pass on, it checks that none of the rows still needs it: in the first pass they may
// have been locked, but a statement that misses rows would run for ever.
func (b backfill) update(ctx context.Context, tx *sql.Tx, keys string, pass int) (int64, error) {
	result, err := tx.ExecContext(ctx, b.Statement, keys)
	if err != nil {
		return 0, err
	}

	filled, err := result.RowsAffected()
	if err != nil || pass == 1 {
		return filled, err
	}

	var missed int64
	if err := tx.QueryRowContext(ctx, "SELECT count(*)"+b.from()+" AND "+b.key()+" = ANY($1)",
		keys).Scan(&missed); err != nil {
		return filled, fmt.Errorf("count the rows that the statement missed: %w", err)
	}

	if missed > 0 {
		return filled, fmt.Errorf("%w: the statement does not fill %d of the rows with the keys %.60s, "+
			"where %s; correct the statement or the condition", ErrRowsLeft, missed, keys, b.Where)
	}

	return filled, nil
}
