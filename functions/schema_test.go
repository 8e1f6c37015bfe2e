package functions_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"lockstep/functions/internal/aws"
	"lockstep/functions/internal/schema"
	"lockstep/functions/internal/step"
	"lockstep/functions/internal/wire"
	"lockstep/infra/local/cloud/lambda"
	sm "lockstep/statemachine"
)

// memorySchema is a database as far as releases change it: whose expand migrations have run, and
// whose contract ones. It outlives every process, as Postgres does; the stories in
// database_test.go and the tests of functions/internal/postgres are on a real one.
type memorySchema struct {
	weather *weather
	// These are told before it is so.
	expanding, contracting, narrowing func(release string, fence int64)

	mu         sync.Mutex
	expanded   []string
	contracted []string
	fence      int64
}

// session is what a step sees of it.
type session struct {
	*memorySchema
	fence int64
}

// steps are those that change the schema, over this one.
func (s *memorySchema) steps(cloud *aws.Cloud) map[sm.Task]lambda.Handler {
	open := func(ctx context.Context, fence int64) (schema.Database, error) {
		return session{s, fence}, unreachable(s.weather.query(ctx, "connect", func() {}))
	}

	return map[sm.Task]lambda.Handler{
		sm.Expand: serve(wire.Step((&step.Expand{Ledger: wire.Ledger(cloud), Bundles: cloud.Bundles(),
			Open: open}).Run)),
		sm.Contract: serve(wire.Step((&step.Contract{Ledger: wire.Ledger(cloud), Bundles: cloud.Bundles(),
			Open: open}).Run)),
	}
}

// change adds a release to a list or takes it off, once: goose knows by its version table what has
// run.
func (s session) change(ctx context.Context, what string, list *[]string, release string,
	there bool, tell func(string, int64)) (string, error) {
	lost := false

	err := s.weather.query(ctx, what, func() {
		if lost = s.behind(); lost || s.has(list, release) == there {
			return
		}

		tell(release, s.fence)
		s.mu.Lock()
		defer s.mu.Unlock()

		if *list = slices.DeleteFunc(*list, func(r string) bool { return r == release }); there {
			*list = append(*list, release)
		}
	})
	if lost {
		return "", sm.Errorf(sm.LockLost, "%s: the schema was changed under a newer fence", what)
	}

	return what, unreachable(err)
}

// unreachable is what functions/internal/wire/database makes of a database that does not answer,
// or breaks off.
func unreachable(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}

	return sm.Errorf(sm.Unreachable, "%w", err)
}

// behind tells whether somebody with a newer fence was here, as functions/internal/postgres does.
func (s session) behind() bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.memorySchema.fence = max(s.memorySchema.fence, s.fence)

	return s.fence != 0 && s.fence < s.memorySchema.fence
}

func (s session) Expand(ctx context.Context, release string, _ fs.FS) (string, error) {
	return s.change(ctx, "expand for "+release, &s.expanded, release, true, s.expanding)
}

func (s session) UndoExpand(ctx context.Context, release string) (string, error) {
	if s.has(&s.contracted, release) {
		return "", fmt.Errorf("undo the expand migrations of %s: they are contracted", release)
	}

	return s.change(ctx, "undo expand for "+release, &s.expanded, release, false, s.narrowing)
}

func (s session) Contract(ctx context.Context, release string, _ fs.FS) (string, error) {
	return s.change(ctx, "contract for "+release, &s.contracted, release, true, s.contracting)
}

// OldClients finds none: the functions of this shop keep no sessions.
func (s *memorySchema) OldClients(ctx context.Context, _ string, _ time.Duration) (busy bool,
	found string, err error) {
	return false, "nobody", unreachable(s.weather.query(ctx, "look for old clients", func() {}))
}

// Widened names those that can still be undone.
func (s *memorySchema) Widened(context.Context) (releases []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	return slices.DeleteFunc(slices.Clone(s.expanded),
		func(r string) bool { return slices.Contains(s.contracted, r) }), nil
}

// Close keeps everything.
func (s *memorySchema) Close() error { return nil }

func (s *memorySchema) has(list *[]string, release string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	return slices.Contains(*list, release)
}

// fits tells whether code runs on the schema as it is now: all that the code's line of releases
// widened is wide, and nothing that came after it is narrowed.
func (s *memorySchema) fits(line []string, migrates func(release string) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()

	for _, release := range line {
		if migrates(release) && !slices.Contains(s.expanded, release) {
			return fmt.Errorf("the schema is not expanded for %s", release)
		}
	}

	for _, release := range s.contracted {
		if !slices.Contains(line, release) {
			return fmt.Errorf("the schema is contracted for %s", release)
		}
	}

	return nil
}
