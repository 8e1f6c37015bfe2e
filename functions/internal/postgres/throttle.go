package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// maxBehind is what a replica may lack, whatever its clock says: one that has stopped replaying
// reports the lag that it had.
const maxBehind = 64 << 20

// yielding bounds how long a backfill gives way where nothing else does.
const yielding = 10 * time.Minute

// yield gives way before the next batch: as long as the last one took, so that a database under
// load gets longer pauses, and for as long as replicas lag or the application is busy.
func (s *session) yield(ctx context.Context, b backfill, took time.Duration) error {
	if took > 0 && !pauseExactly(ctx, took) {
		return fmt.Errorf("%s: %w", b.File, ctx.Err())
	}

	began, why := time.Now(), ""

	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		now, err := s.busyWith(ctx, b)
		switch {
		case err != nil && why != "" && ctx.Err() != nil: // time ran out in the midst of asking
		case err != nil:
			return fmt.Errorf("%s: look whether there is room for a batch: %w", b.File, err)
		case now == "":
			return nil
		case time.Since(began) > yielding:
			return fmt.Errorf("%s: gave way for %s: %s", b.File, yielding, now)
		default:
			why, err = now, pause(ctx, wait)
		}

		if err != nil {
			return fmt.Errorf("%s: gave way for %s, %s: %w", b.File, time.Since(began).Round(time.Second),
				why, err)
		}
	}
}

// busyWith says what a batch would make worse, if anything.
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
		return fmt.Sprintf("%d sessions were active at once, more than the %d of maxLoad", active,
			b.MaxLoad), nil
	case lag > b.MaxLag.Duration:
		return fmt.Sprintf("a replica lagged by %s, more than the %s of maxLag",
			lag.Round(time.Millisecond), b.MaxLag.Duration), nil
	case behind.Int64 > maxBehind:
		return fmt.Sprintf("a replica was %d MB behind, more than %d", behind.Int64>>20,
			maxBehind>>20), nil
	}

	return "", nil
}

// strainQuery asks how many sessions of the application are active, and how far the slowest
// replica is behind in time and in bytes. Aurora's replicas read the same storage and are found in
// a function of Aurora's own.
func (s *session) strainQuery(ctx context.Context) (query string, err error) {
	var aurora bool
	if err := s.QueryRowContext(
		ctx, "SELECT to_regproc('aurora_replica_status') IS NOT NULL").Scan(&aurora); err != nil {
		return "", err
	}

	replicas := `max(extract(epoch FROM replay_lag))::float8, max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn))::bigint
		FROM pg_stat_replication WHERE replay_lsn IS NOT NULL`
	if aurora {
		replicas = "max(replica_lag_in_msec)::float8 / 1000, NULL::bigint FROM aurora_replica_status()"
	}

	return `SELECT (SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND backend_type = 'client backend'
		AND application_name <> 'lockstep'), ` + replicas, nil
}
