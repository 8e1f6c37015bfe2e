// Package lint checks the SQL of a bundle before anything runs. It refuses what would break or
// block a version of the application that is live.
//
// It uses Postgres's own parser as WebAssembly: the first call compiles it, which takes seconds of
// a whole core. So it is a package apart from migration, and the Lambdas that run migrations do
// not contain it: Begin has checked the bundle.
package lint

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"lockstep/statemachine/migration"
)

// Finding is a problem at one place of a bundle.
type Finding struct {
	File string // its path in the bundle
	Line int    // counted from 1
	Rule Rule   // the rule that is broken; "" for a problem that no comment can allow
	Text string // what was found, and what to write instead
}

// Error is the finding as file:line: rule: text.
func (f Finding) Error() string {
	if f.Rule == "" {
		return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text)
	}

	return fmt.Sprintf("%s:%d: %s: %s", f.File, f.Line, f.Rule, f.Text)
}

// Check checks a bundle. Its error lists all problems: those of migration.Load or, if the bundle
// can be read, all Findings, sorted by file and line. Nothing runs.
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
