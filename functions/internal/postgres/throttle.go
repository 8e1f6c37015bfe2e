package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// maxBehind is how many bytes a replica may be behind, whatever its lag in time: a replica that has
// stopped replaying still reports its last lag.
const maxBehind = 64 << 20

// maxWait bounds how long a backfill waits for replicas and for the application before one batch.
const maxWait = 10 * time.Minute

// yield pauses before the next batch for as long as the last one took, so that a busy database gets
// longer pauses. Then it waits while a replica lags or the application is busy.
func (s *session) yield(ctx context.Context, b backfill, took time.Duration) error {
	if took > 0 && !pauseExactly(ctx, took) {
		return fmt.Errorf("%s: %w", b.File, ctx.Err())
	}

	began, why := time.Now(), ""

	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		now, err := s.busyWith(ctx, b)
		switch {
		case err != nil && why != "" && ctx.Err() != nil: // time ran out during the query
		case err != nil:
			return fmt.Errorf("%s: measure the load: %w", b.File, err)
		case now == "":
			return nil
		case time.Since(began) > maxWait:
			return fmt.Errorf("%s: waited for %s: %s", b.File, maxWait, now)
		default:
			why, err = now, pause(ctx, wait)
		}

		if err != nil {
			return fmt.Errorf("%s: waited for %s: %s: %w", b.File, time.Since(began).Round(time.Second),
				why, err)
		}
	}
}

// busyWith is the reason why a batch must wait; "" if there is none.
func (s *session) busyWith(ctx context.Context, b backfill) (why string, err error) {
	if s.strain == "" {
		if s.strain, err = s.strainQuery(ctx); err != nil {
			return "", err
		}
	}

	var (
		active  int
		seconds sql.NullFloat64
		behind  sql.NullInt64
	)
	if err := s.QueryRowContext(ctx, s.strain).Scan(&active, &seconds, &behind); err != nil {
		return "", err
	}

	lag := time.Duration(seconds.Float64 * float64(time.Second))
	switch {
	case b.MaxLoad > 0 && active > b.MaxLoad:
		return fmt.Sprintf("%d sessions were active at once, more than maxLoad, %d", active,
			b.MaxLoad), nil
	case lag > b.MaxLag.Duration:
		return fmt.Sprintf("a replica lagged by %s, more than maxLag, %s",
			lag.Round(time.Millisecond), b.MaxLag.Duration), nil
	case behind.Int64 > maxBehind:
		return fmt.Sprintf("a replica was %d MB behind, more than %d", behind.Int64>>20,
			maxBehind>>20), nil
	}

	return "", nil
}

// strainQuery is the query for the number of the application's active sessions, and for the lag of
// the slowest replica in seconds and in bytes. Aurora's replicas read the same storage, and a
// function of its own lists them.
// https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora_replica_status.html
func (s *session) strainQuery(ctx context.Context) (query string, err error) {
	var aurora bool

	err = s.QueryRowContext(ctx,
		"SELECT to_regproc('aurora_replica_status') IS NOT NULL").Scan(&aurora)
	if err != nil {
		return "", err
	}

	replicas := `max(extract(epoch FROM replay_lag))::float8,
		max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn))::bigint
		FROM pg_stat_replication WHERE replay_lsn IS NOT NULL`
	if aurora {
		replicas = "max(replica_lag_in_msec)::float8 / 1000, NULL::bigint FROM aurora_replica_status()"
	}

	return `SELECT (SELECT count(*) FROM pg_stat_activity
		WHERE state = 'active' AND backend_type = 'client backend'
			AND application_name <> 'lockstep'), ` + replicas, nil
}
