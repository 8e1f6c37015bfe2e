package postgres

import (
	"context"
	"io/fs"

	"lockstep/statemachine/migration"
)

// Expand widens the schema for a release, while the application keeps reading and writing. It runs
// the expand files of the bundle that the database lacks, runs the backfills, and rehearses the
// contract. The bundle may hold the release's own files, or those of all releases.
//
// Its errors are ErrOutOfTime, ErrUnreachable, ErrRowsLeft, ErrFenced, ErrChanged, and those of a
// file, which name it.
func (d *Database) Expand(ctx context.Context, release string, migrations fs.FS) (r Report,
	err error) {
	b, err := migration.Load(migrations)
	if err != nil {
		return r, err
	}

	err = d.locked(ctx, func(ctx context.Context, s *session) error {
		if r, err = s.apply(ctx, release, migration.Expand, b.Files[migration.Expand]); err != nil {
			return err
		}

		r.Backfilled = map[string]int64{}

		for _, declared := range b.Backfills {
			fill := backfill{declared}
			if r.Backfilled[fill.Name], err = s.fill(ctx, release, fill); err != nil {
				return err
			}
		}

		r.Untried, err = s.rehearse(ctx, b.Files[migration.Contract])

		return err
	})

	return r, err
}
