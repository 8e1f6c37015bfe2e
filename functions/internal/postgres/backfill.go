package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const backfillFolder = "backfill"

// backfill is a declared UPDATE of all rows of a table that need it, a batch of keys at a time.
type backfill struct {
	// Name is what its progress is kept under.
	Name string `json:"name"`
	// Table, with its schema if need be, and Key, a column of it that is unique and not null.
	Table string `json:"table"`
	Key   string `json:"key"`
	// Where tells the rows that still need it, and so when it is done: first_name IS NULL.
	Where string `json:"where"`
	// Batch is how many rows a transaction updates. Default: 1000.
	Batch int `json:"batch"`
	// Statement updates the rows whose keys are in $1, an array: UPDATE ... WHERE id = ANY($1).
	Statement string `json:"statement"`

	file string
}

func loadBackfills(migrations fs.FS) ([]backfill, error) {
	entries, err := fs.ReadDir(migrations, backfillFolder)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", backfillFolder, err)
	}
	var all []backfill
	var wrong []error
	files := map[string]string{}
	for _, entry := range entries {
		b := backfill{file: path.Join(backfillFolder, entry.Name()), Batch: 1000}
		if err := b.load(migrations); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", b.file, err))
		} else if other := files[b.Name]; other != "" {
			wrong = append(wrong, fmt.Errorf("%s: name: found %q again, which %s has", b.file, b.Name, other))
		}
		files[b.Name] = b.file
		all = append(all, b)
	}
	return all, errors.Join(wrong...)
}

func (b *backfill) load(migrations fs.FS) error {
	if path.Ext(b.file) != ".json" {
		return errors.New("found a name of another form, expected one that ends in .json")
	}
	f, err := migrations.Open(b.file)
	if err != nil {
		return err
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(b); err != nil {
		return fmt.Errorf("expected {name, table, key, where, batch, statement}: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("found more after the JSON object, expected its end")
	}
	for _, field := range []struct{ name, value string }{
		{"name", b.Name}, {"table", b.Table}, {"key", b.Key}, {"where", b.Where}, {"statement", b.Statement},
	} {
		if strings.TrimSpace(field.value) == "" {
			return fmt.Errorf("%s: found nothing, expected a text", field.name)
		}
	}
	if !strings.Contains(b.Statement, "$1") {
		return fmt.Errorf("statement: found no $1, expected the batch's keys in it: UPDATE %s SET ... WHERE %s = ANY($1)", b.Table, b.Key)
	}
	if b.Batch < 1 || b.Batch > 10_000 {
		return fmt.Errorf("batch: found %d, expected 1 to 10000", b.Batch)
	}
	return nil
}

// from is the part of a query that finds the rows to fill.
func (b backfill) from() string {
	return " FROM " + pgx.Identifier(strings.Split(b.Table, ".")).Sanitize() + " WHERE (" + b.Where + "\n)"
}

func (b backfill) key() string { return pgx.Identifier{b.Key}.Sanitize() }

// querier is a connection or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (b backfill) left(ctx context.Context, q querier) (left int64, err error) {
	if err := q.QueryRowContext(ctx, "SELECT count(*)"+b.from()).Scan(&left); err != nil {
		return 0, fmt.Errorf("%s: count the rows left: %w", b.file, err)
	}
	return left, nil
}

// settle closes the backfill for good, if it is done.
func (b backfill) settle(ctx context.Context, tx *sql.Tx) error {
	var settled bool
	err := tx.QueryRowContext(ctx, "SELECT settled FROM lockstep_backfills WHERE name = $1", b.Name).Scan(&settled)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s: %w: it has not begun", b.file, ErrRowsLeft)
	}
	if err != nil {
		return fmt.Errorf("%s: read its progress: %w", b.file, err)
	}
	if settled {
		return nil
	}
	left, err := b.left(ctx, tx)
	if err != nil {
		return err
	}
	if left > 0 {
		return fmt.Errorf("%s: %w: %d rows of %s left where %s", b.file, ErrRowsLeft, left, b.Table, b.Where)
	}
	if _, err := tx.ExecContext(ctx, "UPDATE lockstep_backfills SET settled = true WHERE name = $1", b.Name); err != nil {
		return fmt.Errorf("%s: note that it is done: %w", b.file, err)
	}
	return nil
}

// fill runs a backfill until no row is left, and counts the rows over all runs of it; one that an earlier
// release finished has nothing to count. It passes over the
// table by key; rows that somebody else has locked are left to the next pass, so that it waits for no
// one and can be part of no deadlock.
func (s *session) fill(ctx context.Context, release string, b backfill) (rows int64, err error) {
	var settled, ours bool
	err = s.QueryRowContext(ctx, `
		INSERT INTO lockstep_backfills (name, release) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET name = $1 RETURNING rows, settled, release = $2`, b.Name, release).Scan(&rows, &settled, &ours)
	if err != nil {
		return 0, fmt.Errorf("%s: read its progress: %w", b.file, err)
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
			return rows, fmt.Errorf("%s: %w: %d rows of %s stay locked, or new ones come as fast", b.file, ErrRowsLeft, left, b.Table)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return rows, fmt.Errorf("%s: %d rows left: %w", b.file, left, err)
		}
	}
}

// pass goes once over the table, from where an earlier run got to.
func (s *session) pass(ctx context.Context, b backfill, pass int) (rows int64, err error) {
	for {
		var done bool
		err := s.patiently(ctx, func() (err error) {
			rows, done, err = s.batch(ctx, b, pass)
			return err
		})
		if err != nil {
			return rows, fmt.Errorf("%s: %w", b.file, err)
		}
		if done {
			return rows, nil
		}
		s.worked = true
	}
}
