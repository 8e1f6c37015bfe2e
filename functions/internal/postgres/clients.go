package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Clients is what the database can tell of who else is connected. A client says which release it
// is of by an application_name that ends in @ and the release: shop@v56.
type Clients struct {
	// Old has the sessions of each other release, by its id.
	Old map[string]Sessions
	// New has those of the release itself, Unnamed those that don't say.
	New, Unnamed Sessions
}

// Sessions is a number of sessions and when the last of them was in use.
type Sessions struct {
	Count int
	Idle  time.Duration
}

// Clients asks who is connected, while a release is the one to stay.
func (d *Database) Clients(ctx context.Context, release string) (Clients, error) {
	c := Clients{Old: map[string]Sessions{}}
	// What others' sessions are and do is seen by members of pg_monitor only; who is not takes them
	// for clients in use.
	rows, err := d.db.QueryContext(ctx, `
		SELECT CASE WHEN application_name LIKE '%@_%' THEN substring(application_name FROM '[^@]*$') ELSE '' END, count(*),
			greatest(0, min(CASE WHEN state = 'idle' THEN extract(epoch FROM clock_timestamp() - state_change) ELSE 0 END))::float8
		FROM pg_stat_activity
		WHERE datname = current_database() AND coalesce(backend_type, 'client backend') = 'client backend' AND pid <> pg_backend_pid() AND application_name <> 'lockstep'
		GROUP BY 1 ORDER BY 1`)
	if err != nil {
		return c, fmt.Errorf("ask who is connected to the database: %w", reached(err))
	}
	defer rows.Close()

	for rows.Next() {
		var (
			of   string
			s    Sessions
			idle float64
		)
		if err := rows.Scan(&of, &s.Count, &idle); err != nil {
			return c, fmt.Errorf("ask who is connected to the database: %w", err)
		}

		s.Idle = time.Duration(idle * float64(time.Second))

		switch of {
		case release:
			c.New = s
		case "":
			c.Unnamed = s
		default:
			c.Old[of] = s
		}
	}

	return c, rows.Err()
}

// Busy tells whether a client of another release used its session within that time.
func (c Clients) Busy(within time.Duration) bool {
	for _, s := range c.Old {
		if s.Idle < within {
			return true
		}
	}

	return false
}

// String says it in a few words.
func (c Clients) String() string {
	var words []string
	for _, release := range sorted(c.Old) {
		words = append(words, fmt.Sprintf("%s of %s", c.Old[release], release))
	}

	if len(words) == 0 {
		words = append(words, "no sessions of another release")
	}

	if c.Unnamed.Count > 0 {
		words = append(words, fmt.Sprintf("%s whose application_name says no release", c.Unnamed))
	}

	return "the database has " + strings.Join(words, ", ")
}

// String says how many and when.
func (s Sessions) String() string {
	what := "sessions"
	if s.Count == 1 {
		what = "session"
	}

	return fmt.Sprintf("%d %s, last used %s ago,", s.Count, what, s.Idle.Round(time.Second))
}
