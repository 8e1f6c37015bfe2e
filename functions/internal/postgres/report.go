package postgres

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Report is what a call did to the schema.
type Report struct {
	// From and To are the phase's newest version before and after.
	From, To int64
	// Applied lists the files that ran, in order; for UndoExpand, those whose Down ran.
	Applied []string
	// Backfilled counts the rows of each backfill, by its name, over all calls.
	Backfilled map[string]int64
	// Untried lists the contract files that were not rehearsed: the first one without a transaction
	// and all after it, or all files if the rehearsal took too long.
	Untried []string
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// String is the report for people: "version 2 to 3; expand/00003_x.sql; 8 rows backfilled by x".
func (r Report) String() string {
	words := []string{"nothing new"}
	if r.From != r.To {
		words[0] = fmt.Sprintf("version %d to %d", r.From, r.To)
	}

	if len(r.Applied) > 0 {
		words = append(words, strings.Join(r.Applied, ", "))
	}

	for _, name := range sorted(r.Backfilled) {
		if r.Backfilled[name] == 0 {
			continue
		}

		words = append(words, fmt.Sprintf("%d rows backfilled by %s", r.Backfilled[name], name))
	}

	if len(r.Untried) > 0 {
		words = append(words, "not rehearsed: "+strings.Join(r.Untried, ", "))
	}

	return strings.Join(words, "; ")
}
