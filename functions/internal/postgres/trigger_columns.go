package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// triggered lists the columns of the tables that have triggers, as JSON: [{"relation", "name"}].
func triggered(ctx context.Context, tx *sql.Tx) (columns string, err error) {
	err = tx.QueryRowContext(ctx, `
		SELECT coalesce(json_agg(json_build_object(
			'relation', attrelid::bigint, 'name', attname)), '[]')::text
		FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped
			AND attrelid IN (SELECT tgrelid FROM pg_trigger WHERE NOT tgisinternal)`).Scan(&columns)

	return columns, err
}

// stillRead refuses a contract that has dropped one of the columns while a trigger's function reads
// it. Postgres does not check the bodies of functions, so every write would fail from then on. In
// contrast to lint, it sees the functions of earlier releases.
func stillRead(ctx context.Context, tx *sql.Tx, columns string) error {
	var table, column, trigger, function string

	err := tx.QueryRowContext(ctx, `
		SELECT t.tgrelid::regclass::text, was.name, t.tgname, p.oid::regprocedure::text
		FROM json_to_recordset($1::json) AS was (relation bigint, name text)
		JOIN pg_trigger t ON t.tgrelid::bigint = was.relation AND NOT t.tgisinternal
		JOIN pg_proc p ON p.oid = t.tgfoid
		WHERE p.prosrc ~ ('\m' || regexp_replace(was.name, '\W', '\\\&', 'g') || '\M')
			AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid::bigint = was.relation
				AND a.attname = was.name AND NOT a.attisdropped)
		ORDER BY 1, 2, 3 LIMIT 1`, columns).Scan(&table, &column, &trigger, &function)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}

	if err != nil {
		return fmt.Errorf("look for functions that read what the contract drops: %w", err)
	}

	return fmt.Errorf(
		"the contract would drop %s.%s, which %s of the trigger %s still reads; drop or "+
			"replace the function in contract", table, column, function, trigger)
}
