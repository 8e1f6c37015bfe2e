package postgres

import (
	"context"
	"fmt"
	"time"
)

// fill runs a backfill until no row is left, and counts its rows over all calls; 0 for a backfill
// that an earlier release completed. It passes over the table in the order of the key. It leaves
// rows that are locked to the next pass, so it never waits for the application, and is never part
// of a deadlock.
func (s *session) fill(ctx context.Context, release string, b backfill) (rows int64, err error) {
	var settled, ours bool

	err = s.QueryRowContext(ctx, `
		INSERT INTO lockstep_backfills (name, release) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET name = $1 RETURNING rows, settled, release = $2`,
		b.Name, release).Scan(&rows, &settled, &ours)
	if err != nil {
		return 0, fmt.Errorf("%s: read its progress: %w", b.File, err)
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
			return rows, fmt.Errorf("%s: %w: %d rows of %s stay locked, or new ones come as fast as they "+
				"are filled", b.File, ErrRowsLeft, left, b.Table)
		}

		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return rows, fmt.Errorf("%s: %d rows left: %w", b.File, left, err)
		}
	}
}

// pass passes once over the table, from the key that an earlier call reached.
func (s *session) pass(ctx context.Context, b backfill, pass int) (rows int64, err error) {
	size := b.Batch

	for took := time.Duration(0); ; {
		var done bool

		if err := s.yield(ctx, b, took); err != nil {
			return rows, err
		}

		err := s.patiently(ctx, func() (err error) {
			began := time.Now()
			rows, done, err = s.batch(ctx, b, pass, size)
			took = time.Since(began)
			size = resized(size, b.Batch, took, s.options.LockTimeout)

			return err
		})
		if err != nil {
			return rows, fmt.Errorf("%s: %w", b.File, err)
		}

		if done {
			return rows, nil
		}

		s.worked = true
	}
}

// resized is the size of the next batch. It keeps a batch well below the time that the application
// may wait, since the application waits for a whole batch where it changes one of its rows.
func resized(size, most int, took, limit time.Duration) int {
	switch {
	case took > limit/4:
		return max(1, size/2)
	case took < limit/16:
		return min(most, size*2)
	}

	return size
}
