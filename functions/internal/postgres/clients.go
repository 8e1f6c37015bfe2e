package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Clients are the other sessions of the database, by release. A client names its release at the
// end of its application_name, after an @: shop@v56.
type Clients struct {
	// Old has the sessions of each other release, by the release's id.
	Old map[string]Sessions
	// New has the sessions of the release itself, and Unnamed those that name none.
	New, Unnamed Sessions
}

// Sessions is a number of sessions, and how long ago the latest of them was in use.
type Sessions struct {
	Count int
	Idle  time.Duration
}

// Clients lists the other sessions; release is the one whose sessions are New. Its error is
// ErrUnreachable if the database does not answer.
func (d *Database) Clients(ctx context.Context, release string) (Clients, error) {
	c := Clients{Old: map[string]Sessions{}}
	// Only members of pg_monitor see the state and the type of other users' sessions. For others, such
	// a session counts as a client in use.
	rows, err := d.db.QueryContext(ctx, `
		SELECT CASE WHEN application_name LIKE '%@_%'
				THEN substring(application_name FROM '[^@]*$') ELSE '' END,
			count(*),
			greatest(0, min(CASE WHEN state = 'idle'
				THEN extract(epoch FROM clock_timestamp() - state_change) ELSE 0 END))::float8
		FROM pg_stat_activity
		WHERE datname = current_database()
			AND coalesce(backend_type, 'client backend') = 'client backend'
			AND pid <> pg_backend_pid() AND application_name <> 'lockstep'
		GROUP BY 1 ORDER BY 1`)
	if err != nil {
		return c, fmt.Errorf("list the sessions of the database: %w", unreachable(err))
	}
	defer rows.Close()

	for rows.Next() {
		var (
			of   string
			s    Sessions
			idle float64
		)
		if err := rows.Scan(&of, &s.Count, &idle); err != nil {
			return c, fmt.Errorf("list the sessions of the database: %w", err)
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

// Busy tells whether a session of another release was in use within that time.
func (c Clients) Busy(within time.Duration) bool {
	for _, s := range c.Old {
		if s.Idle < within {
			return true
		}
	}

	return false
}

// String is the clients for people: "the database has 2 sessions of v1, last used 3s ago".
func (c Clients) String() string {
	var words []string
	for _, release := range sorted(c.Old) {
		words = append(words, c.Old[release].of("of "+release))
	}

	if len(words) == 0 {
		words = append(words, "no sessions of another release")
	}

	if c.Unnamed.Count > 0 {
		words = append(words, c.Unnamed.of("whose application_name names no release"))
	}

	return "the database has " + strings.Join(words, "; ")
}

// of is the sessions for people: "2 sessions of v1, last used 3s ago".
func (s Sessions) of(whom string) string {
	what := "sessions"
	if s.Count == 1 {
		what = "session"
	}

	return fmt.Sprintf("%d %s %s, last used %s ago", s.Count, what, whom, s.Idle.Round(time.Second))
}
