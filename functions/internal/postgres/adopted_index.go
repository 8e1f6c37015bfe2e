package postgres

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"lockstep/statemachine/migration"
)

// An index that a file makes where it is not there: its name, as it is or in quotes, and its table.
var madeIndex = regexp.MustCompile(`(?is)\bCREATE\s+(?:UNIQUE\s+)?INDEX\s+(?:CONCURRENTLY\s+)?IF\s+NOT\s+EXISTS\s+("[^"]+"|\w+)\s+ON\s+(?:ONLY\s+)?([^\s(]+)`)

// foreign refuses a file that would take an index for its own which somebody else made: IF NOT
// EXISTS passes it by, and a rollback would drop it. With a transaction lint refuses the words.
// Without one they are how a file runs twice, and only the journal tells whether this is the first
// time.
func (s *session) foreign(ctx context.Context, f migration.File) error {
	if f.Phase != migration.Expand || f.Transaction {
		return nil
	}

	var began bool
	if err := s.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM lockstep_journal WHERE phase = $1 "+
		"AND version = $2)", f.Phase, f.Version).Scan(&began); err != nil || began {
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
				WHERE c.relname = $1 AND i.indisvalid AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass($2)))`, name, made[2]).Scan(&there)
		if err != nil {
			return fmt.Errorf("%s: look whether the index %s is there: %w", f.Name, name, err)
		}

		if there && slices.ContainsFunc(f.Down, drops(name)) {
			return fmt.Errorf("%s: found the index %s there before this file ever ran: a rollback would "+
				"drop it; drop it first, or give this one another name", f.Name, name)
		}
	}

	return nil
}

func drops(index string) func(statement string) bool {
	return regexp.MustCompile(`(?is)\bDROP\s+INDEX\b.*\b` + regexp.QuoteMeta(index) + `\b`).MatchString
}
