// Package lint reads the SQL of a bundle before anything runs, and refuses what would break or
// hold up a version of the application that is live. It parses with Postgres's own parser, which
// is WebAssembly: the first call compiles it, which takes seconds of a whole core. So it stands
// apart from the reading of bundles, and the Lambdas that run migrations, which Begin has let
// through, don't carry it.
package lint

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"lockstep/statemachine/migration"
)

// Finding is what is wrong at one place.
type Finding struct {
	File string
	Line int
	Rule Rule   // empty where it is no rule that is broken: such a thing cannot be allowed
	Text string // what was found, and what to write instead
}

func (f Finding) Error() string {
	if f.Rule == "" {
		return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text)
	}

	return fmt.Sprintf("%s:%d: %s: %s", f.File, f.Line, f.Rule, f.Text)
}

// Check reads a bundle and says all that is wrong with it: what cannot be read, or else each
// Finding. Nothing runs.
func Check(migrations fs.FS) error {
	b, err := migration.Load(migrations)
	if err != nil {
		return err
	}

	var (
		findings []Finding
		files    []*file
	)

	for _, phase := range []migration.Phase{migration.Expand, migration.Contract} {
		for _, m := range b.Files[phase] {
			f := read(m)
			f.check()
			files = append(files, f)
		}
	}

	stillNeeded(files)

	for _, f := range files {
		findings = append(findings, f.unallowed()...)
	}

	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), a.Line-b.Line)
	})

	wrong := make([]error, len(findings))
	for i, f := range findings {
		wrong[i] = f
	}

	return errors.Join(wrong...)
}
