package postgres

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"lockstep/statemachine/migration"
)

// madeIndex matches CREATE INDEX IF NOT EXISTS: the index's name, with its quotes if any, and its
// table.
var madeIndex = regexp.MustCompile(`(?is)\bCREATE\s+(?:UNIQUE\s+)?INDEX\s+(?:CONCURRENTLY\s+)?` +
	`IF\s+NOT\s+EXISTS\s+("[^"]+"|\w+)\s+ON\s+(?:ONLY\s+)?([^\s(]+)`)

// foreign refuses a file that would adopt an index that it did not make: IF NOT EXISTS passes over
// the index, and a rollback would drop it. In a file with a transaction, lint refuses the words.
// In a file without one they are what makes it safe to run twice, and only the journal tells
// whether this is the first time.
func (s *session) foreign(ctx context.Context, f migration.File) error {
	if f.Phase != migration.Expand || f.Transaction {
		return nil
	}

	var began bool

	err := s.QueryRowContext(ctx,
		"SELECT EXISTS (SELECT FROM lockstep_journal WHERE phase = $1 AND version = $2)",
		f.Phase, f.Version).Scan(&began)
	if err != nil || began {
		return err
	}

	for _, statement := range f.Up {
		made := madeIndex.FindStringSubmatch(statement)
		if made == nil {
			continue
		}

		name := strings.ToLower(made[1])
		if quoted, ok := strings.CutPrefix(made[1], `"`); ok {
			name = strings.TrimSuffix(quoted, `"`)
		}

		var there bool

		err := s.QueryRowContext(ctx, `
			SELECT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
				WHERE c.relname = $1 AND i.indisvalid AND c.relnamespace =
					(SELECT relnamespace FROM pg_class WHERE oid = to_regclass($2)))`,
			name, made[2]).Scan(&there)
		if err != nil {
			return fmt.Errorf("%s: look for the index %s: %w", f.Name, name, err)
		}

		if there && slices.ContainsFunc(f.Down, drops(name)) {
			return fmt.Errorf("%s: the index %s exists already, and a rollback would drop it; drop it "+
				"before the release, or give this one another name", f.Name, name)
		}
	}

	return nil
}

// drops tells whether a statement drops the index.
func drops(index string) func(statement string) bool {
	return regexp.MustCompile(`(?is)\bDROP\s+INDEX\b.*\b` + regexp.QuoteMeta(index) + `\b`).MatchString
}
