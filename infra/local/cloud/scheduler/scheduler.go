// Package scheduler stands in for Amazon EventBridge Scheduler. It has one-time schedules only, by
// which the ramp starts its next step.
package scheduler

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"lockstep/infra/local/cloud/events/delivery"
)

// DefaultGroup exists in every account.
const DefaultGroup = "default"

// DeadLetter is an invocation of a target that failed, after Calls calls.
type DeadLetter struct {
	Schedule Schedule
	Calls    int
	Err      error
}

// Service is the scheduler of one account and region.
type Service struct {
	deliver func(ctx context.Context, targetARN, roleARN string, input []byte) error
	ctx     context.Context
	cancel  context.CancelFunc
	pending sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	groups    map[string]bool
	schedules map[key]*entry
	dead      []DeadLetter
}

type key struct{ group, name string }

// entry is a schedule and the timer that fires it. An update replaces the entry, by which an old
// timer finds that it is obsolete.
type entry struct {
	Schedule
	token string
	over  bool // it has fired
	timer *time.Timer
}

// New makes a scheduler with the default group. deliver calls a target; after an error it is called
// again, as the target's retry policy says.
func New(deliver func(ctx context.Context, targetARN, roleARN string,
	input []byte) error) *Service {
	ctx, cancel := context.WithCancel(context.Background())

	return &Service{
		deliver: deliver, ctx: ctx, cancel: cancel,
		groups: map[string]bool{DefaultGroup: true}, schedules: map[key]*entry{},
	}
}

// Close stops all schedules and gives up the calls under way.
func (s *Service) Close() {
	s.mu.Lock()

	s.closed = true
	for _, e := range s.schedules {
		e.stop()
	}
	s.mu.Unlock()
	s.cancel()
	s.pending.Wait()
}

// CreateGroup adds a schedule group. It keeps a group that exists.
func (s *Service) CreateGroup(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.groups[name] = true
}

// List returns all schedules, sorted by group and name.
func (s *Service) List() []Schedule {
	s.mu.Lock()
	defer s.mu.Unlock()

	all := make([]Schedule, 0, len(s.schedules))
	for _, e := range s.schedules {
		all = append(all, e.Schedule)
	}

	slices.SortFunc(all, func(a, b Schedule) int {
		return cmp.Or(cmp.Compare(a.GroupName, b.GroupName), cmp.Compare(a.Name, b.Name))
	})

	return all
}

// DeadLetters lists the invocations that failed.
func (s *Service) DeadLetters() []DeadLetter {
	s.mu.Lock()
	defer s.mu.Unlock()

	return slices.Clone(s.dead)
}

func (e *entry) key() key { return key{e.GroupName, e.Name} }

func (e *entry) stop() {
	if e.timer != nil {
		e.timer.Stop()
	}
}

// set adds a schedule, or replaces the one of its name, and starts its timer. The caller holds the
// lock. A time in the past fires at once; AWS does not document what it does with one.
func (s *Service) set(e *entry) {
	if old := s.schedules[e.key()]; old != nil {
		old.stop()
	}

	s.schedules[e.key()] = e
	if e.State == enabled && !e.over && !s.closed {
		e.timer = time.AfterFunc(time.Until(e.at), func() { s.fire(e) })
	}
}

func (s *Service) fire(e *entry) {
	s.mu.Lock()
	if s.closed || s.schedules[e.key()] != e {
		s.mu.Unlock()
		return
	}

	s.pending.Add(1)

	s.mu.Unlock()
	defer s.pending.Done()

	calls, err := delivery.Do(s.ctx, e.Target.RetryPolicy, func(ctx context.Context) error {
		return s.deliver(ctx, e.Target.ARN, e.Target.RoleARN, []byte(e.Target.Input))
	})
	if s.ctx.Err() != nil {
		return
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	if err != nil {
		s.dead = append(s.dead, DeadLetter{e.Schedule, calls, err})
	}

	e.over = true
	if e.ActionAfterCompletion == deleteAfter && s.schedules[e.key()] == e {
		delete(s.schedules, e.key())
	}
}
