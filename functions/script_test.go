package functions_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	sm "lockstep/statemachine"
)

// act is something that somebody does in a simulated run.
type act struct {
	at   time.Duration
	what string
	do   func()
}

// play lets a first release go live, then people do as the dice say, in whatever weather, and in
// the end everything must be as it should.
func (s *simulation) play(d *rand.Rand) {
	s.weather.calm.Store(d.Float64() < 0.9)
	s.publish("v1", 1, everything)
	s.rest(d, 24*time.Hour, sm.SignalPromote, sm.SignalApprove)

	switch {
	case s.auditor.live() == "":
	case d.Float64() < 0.4:
		s.people(d.Uint64())
	default:
		s.callers(dice(s.weather.seed, "callers"))
	}

	s.weather.calm.Store(false)

	began := time.Now()
	for _, a := range s.script(d) {
		time.Sleep(time.Until(began.Add(a.at)))
		s.tell("> %s", a.what)
		a.do()
	}

	s.rest(d, 72*time.Hour, sm.SignalPromote, sm.SignalRollback, sm.SignalResume, sm.SignalAdvance,
		sm.SignalApprove)
	s.weather.calm.Store(true)
	s.stack.Cloud.Metrics.Lag(0)
	s.checkAccounts()

	if s.wrecked || len(s.auditor.findings()) > 0 {
		return
	}

	// no data is never healthy, and thirty viewers, if any came, may all fall on one side
	if s.auditor.live() != "" {
		s.callers(dice(s.weather.seed, "callers of the last"))
	}
	// And the next one goes through, as though nothing had been.
	s.publish("last", 1000, everything)
	s.rest(d, 72*time.Hour, sm.SignalPromote, sm.SignalApprove)
	s.checkAccounts()

	if r := s.account.record("last"); r.Outcome != "released" {
		s.auditor.mu.Lock()
		s.auditor.wrong(4, "after the storm a good release is %s: %s", r.Outcome, r.Cause)
		s.auditor.mu.Unlock()
	}
}

// script is what people do, in the order in which they do it.
func (s *simulation) script(d *rand.Rand) (script []act) {
	span := time.Duration(10+d.IntN(50)) * time.Minute
	add := func(at time.Duration, what string, do func()) {
		script = append(script,
			act{at, what, do})
	}
	some := func() time.Duration { return time.Duration(d.Int64N(int64(span))) }
	releases := 2 + d.IntN(4)
	crowded := d.Float64() < 0.3

	for n := range releases {
		at := some()
		if crowded {
			at = time.Duration(d.Int64N(int64(10 * time.Second)))
		}

		s.scriptRelease(d, at, fmt.Sprintf("v%d", n+2), int64(n+2), add)
	}

	anyRelease := func() string { return fmt.Sprintf("v%d", 1+d.IntN(releases+1)) }

	for d.Float64() < 0.6 {
		word := []sm.SignalKind{sm.SignalPause, sm.SignalResume, sm.SignalAdvance, sm.SignalAdvance,
			sm.SignalPromote, sm.SignalRollback}[d.IntN(6)]
		at := some()
		add(at, "the operator says "+string(word), func() { s.operator(word) })

		if word == sm.SignalPause {
			add(at+time.Duration(d.Int64N(int64(30*time.Minute))), "the operator says resume",
				func() { s.operator(sm.SignalResume) })
		}
	}

	if d.Float64() < 0.2 {
		e := sm.Environments()[d.IntN(2)]
		add(some(), "somebody sets the alarm of "+string(e), func() { s.alarm(e, types.StateValueAlarm) })
	}

	for d.Float64() < 0.3 {
		release := anyRelease()
		input := []string{`{"release":"` + release + `"}`, `{"release":"` + release + `"}`, `{}`,
			`{"realease":"v1"}`, `{"release":"../v1"}`}[d.IntN(5)]
		add(some(), "the console starts "+input, func() { s.start(input) })
	}

	for d.Float64() < 0.35 {
		which := d.IntN(3)

		add(some(), "somebody stops an execution in the console", func() { s.stopOne(which) })
	}

	for d.Float64() < 0.4 {
		at, task := some(), []sm.Task{sm.Sync, sm.Deploy, sm.Deploy, sm.Ramp, sm.Rollback, sm.Promote,
			sm.Contract}[d.IntN(7)]
		call, while := 1+d.IntN(20), time.Duration(3+d.IntN(8))*time.Minute

		add(at, fmt.Sprintf("%s will stand still, and somebody stops its execution meanwhile", task),
			func() {
				s.weather.standStill(task, call, "", while, s.stop)
			})
	}

	for d.Float64() < 0.4 {
		open := time.Duration(d.Int64N(int64(40 * time.Minute)))
		add(some(), "somebody keeps a page open for "+open.Round(time.Minute).String(),
			func() { s.tab(dice(s.weather.seed, "tab", open), open) })
	}

	for d.Float64() < 0.3 {
		n := d.IntN(releases)
		add(some(), fmt.Sprintf("v%d is announced again", n+2), func() {
			if release := fmt.Sprintf("v%d", n+2); slices.Contains(s.merged, release) {
				s.announceMerge(release, int64(n+2))
			}
		})
	}

	s.scriptLate(dice(s.weather.seed, "late"), some, add)

	if by := dice(s.weather.seed, "by hand"); by.Float64() < 0.15 {
		add(some(), "somebody swaps the roles by hand, if no release is under way", s.swapsRoles)
	}

	s.scriptGates(dice(s.weather.seed, "people at gates"), some, add)
	slices.SortStableFunc(script, func(x, y act) int { return int(x.at - y.at) })

	return script
}

// scriptLate stops executions whose Lambdas have seen that their lock is held, and write when it
// is not.
func (s *simulation) scriptLate(d *rand.Rand, some func() time.Duration,
	add func(time.Duration, string, func())) {
	for d.Float64() < 0.25 {
		task, call, while := []sm.Task{sm.Sync, sm.Deploy,
			sm.Promote}[d.IntN(3)], "UpdateAlias ", time.Duration(3+d.IntN(8))*time.Minute
		if d.IntN(4) == 0 {
			task, call = []sm.Task{sm.Ramp, sm.Promote}[d.IntN(2)], "PutKey "
		}

		add(some(), fmt.Sprintf("%s will stand still before %sand somebody stops its execution meanwhile",
			task, call), func() {
			s.weather.standStill(task, 1, call, while, s.stop)
		})
	}

	for d.Float64() < 0.25 {
		// What AWS has no condition for arrives late, by less than a rollback waits.
		task, call, while := sm.Deploy, []string{"UpdateStage ", "PutObject /" + app +
			"-site-"}[d.IntN(2)], time.Duration(1+d.IntN(45))*time.Second
		if d.IntN(2) == 0 {
			task, call = sm.Promote, "PutParameter "
		}

		add(some(), fmt.Sprintf("%sof %s will be under way for long, and somebody stops its execution meanwhile", call, task), func() {
			s.weather.standStill(task, 1, call, while, s.stop)
		})
	}
}

func (s *simulation) swapsRoles() {
	s.auditor.mu.Lock()
	defer s.auditor.mu.Unlock()

	if s.account.lock().Holder == nil {
		s.swapRoles()
		s.auditor.astray = true
	}
}

// scriptRelease is a merge: of some layers, and sometimes with a flaw.
func (s *simulation) scriptRelease(d *rand.Rand, at time.Duration, id string, sequence int64,
	add func(time.Duration, string, func())) {
	b := everything

	switch kind := d.Float64(); {
	case kind < 0.15:
		b = brings{site: true}
	case kind < 0.3:
		b = brings{functions: []string{"orders"}}
	case kind < 0.65:
		b.migrations = map[string]string{
			"expand/0000" + id[1:] + "_" + id + ".sql": "-- +goose Up\ncreate table " + id +
				" (id bigint);\n-- +goose Down\ndrop table " + id + ";\n",
			"contract/0000" + id[1:] + "_" + id + ".sql": "-- +goose Up\nalter table t drop column " + id +
				";\n",
		}
	}

	more := dice(s.weather.seed, "more about", id)
	urgent, disliked := more.Float64() < 0.15, more.Float64() < 0.1
	what := fmt.Sprintf("%s is merged: site %t, functions %v, migrations %t, hotfix %t", id, b.site,
		b.functions, b.migrations != nil, urgent)
	later := time.Duration(d.Int64N(int64(20 * time.Minute)))
	flaw := d.Float64()

	add(at, what, func() {
		r := s.bundle(id, sequence, b)
		if flaw > 0.72 && flaw < 0.77 && b.site { // the digest is a lie
			r.manifest.Site.SHA256 = hexDigest([]byte("something else"))
		}

		s.auditor.mu.Lock()
		s.auditor.disliked[id] = disliked
		s.auditor.mu.Unlock()
		s.merged = append(s.merged, id)
		s.announce(r, urgent)
	})

	switch {
	case flaw < 0.72:
	case flaw < 0.77:
	case flaw < 0.85:
		add(max(at-1, 0), id+" is broken from the beginning", func() { s.breaks(id, "orders") })
	case flaw < 0.93:
		add(at+later, id+" breaks", func() { s.breaks(id, "orders") })
	case flaw < 0.97 && len(b.functions) > 0:
		add(at+300*time.Millisecond+later/600, "somebody replaces the code of "+id, func() {
			s.put("releases/"+id+"/functions/orders.zip", zipOf(map[string]string{"bootstrap": "evil"}))
		})
	}
}

// publish merges a good release.
func (s *simulation) publish(id string, sequence int64, b brings) {
	s.tell("> %s is merged", id)
	s.merged = append(s.merged, id)
	s.merge(s.bundle(id, sequence, b))
}

// stopOne stops one of the executions that run.
func (s *simulation) stopOne(which int) {
	var running []string

	for _, e := range slices.Backward(s.stack.Cloud.States.Executions()) {
		if e.Stopped.IsZero() {
			running = append(running, e.ARN)
		}
	}

	if len(running) > 0 {
		s.stop(running[which%len(running)])
	}
}

// stop is StopExecution: no Catch runs.
func (s *simulation) stop(execution string) {
	s.tell("> an execution is stopped")
	go func() { _, _ = s.stack.Cloud.States.Stop(execution, "Stopped", "says the seed") }()
}

// checkQueue makes sure that whoever waits for the lock has a place in the queue: nobody would
// wake it otherwise.
func (s *simulation) checkQueue() {
	lock := s.account.lock()
	for _, e := range s.stack.Cloud.States.Executions() {
		n := len(e.Path)
		if !e.Stopped.IsZero() || n == 0 || e.Path[n-1].State != "Begin" ||
			time.Since(e.Path[n-1].Entered) < 40*time.Minute {
			continue
		}

		queued := lock.Holder != nil && lock.Holder.Execution == e.ARN
		for _, p := range lock.Queue {
			queued = queued || p.Execution == e.ARN
		}

		if !queued {
			s.auditor.mu.Lock()
			s.auditor.wrong(4, "%s waits, and has no place in the queue", e.Name)
			s.auditor.mu.Unlock()
		}
	}
}

// checkAccounts looks at the account when nothing is under way: the lock is free, or a wreck is
// stated; every merge is accounted for; nobody is on a mixed version.
func (s *simulation) checkAccounts() {
	time.Sleep(2 * convergence)

	a := s.auditor
	a.mu.Lock()
	defer a.mu.Unlock()

	lock, roles, route := s.account.lock(), s.account.roles(), s.account.route(0)
	if s.wrecked = a.wrecked(); lock.Holder != nil && !s.wrecked {
		a.wrong(4, "%s holds the lock, nothing runs, and nobody says that a person must look",
			lock.Holder.Release)
	}

	if !s.wrecked {
		s.checkMerges()

		if len(lock.Queue) > 0 {
			a.wrong(4, "the lock is free, and %s waits", lock.Queue[0].Release)
		}

		if roles != route.rolesObject && !a.astray || route.Weight != 0 {
			a.wrong(1, "at rest the roles are %v and the route %v", roles, route)
		}

		for _, schedule := range s.stack.Cloud.Scheduler.List() {
			a.wrong(4, "the schedule %s is left", schedule.Name)
		}
	}

	live := s.lastReleased()
	// promoted, and not one call of its rollback went through
	if att := a.now(); s.wrecked && att != nil && route.Fallback == att.active {
		live = att.release
	}

	if live != "" {
		a.whole(1, route.Fallback, live)

		if c := a.carries(route.Fallback); !s.wrecked && c.Release != live {
			a.wrong(1, "the ledger says that %s carries %s, and it is %s", route.Fallback, c.Release, live)
		}
	}

	for _, dead := range s.stack.Cloud.Events.DeadLetters() {
		a.wrong(4, "nobody took an event of %s: %v", dead.Rule, dead.Err)
	}

	if s.crowd == nil {
		return
	}
	a.mu.Unlock()

	seen := s.crowd.Report()

	a.mu.Lock()
	if seen.Mixed > 0 {
		a.wrong(1, "%d mixed views, the first %+v", seen.Mixed, seen.MixedViews[0])
	}

	if seen.FailedOutsideBadRelease > 0 {
		a.wrong(1, "%d requests failed, the first %+v", seen.FailedOutsideBadRelease, seen.Failures[0])
	}
}

func (s *simulation) lastReleased() (live string) {
	for _, att := range s.auditor.attempts {
		if att.outcome == "released" {
			live = att.release
		}
	}

	return live
}

// checkMerges makes sure that each merge has an end that is recorded and was announced, and that a
// superseded one has a newer one in its place.
func (s *simulation) checkMerges() {
	for _, release := range s.merged {
		r := s.account.record(release)
		switch {
		case r.Outcome == "":
			s.auditor.wrong(4, "the merge of %s is lost: its record says %+v", release, r)
		case !slices.Contains(s.auditor.ends[release], r.Outcome):
			s.auditor.wrong(4, "%s is %s, and announced was %v", release, r.Outcome, s.auditor.ends[release])
		case r.Outcome != "released" && r.Cause.Text == "":
			s.auditor.wrong(4, "%s is %s, and nobody says why", release, r.Outcome)
		case r.Outcome == "superseded" && !slices.ContainsFunc(s.merged,
			func(other string) bool { return s.sequence(other) > s.sequence(release) }):
			s.auditor.wrong(4, "%s is superseded, and nothing is newer", release)
		case r.Outcome == "superseded" && s.auditor.urgent[release] &&
			!slices.ContainsFunc(s.merged, func(other string) bool {
				return s.auditor.hotfixes[other] && s.sequence(other) > s.sequence(release)
			}):
			s.auditor.wrong(4, "%s is superseded, a hotfix, and none is newer", release)
		}
	}
}

func (s *simulation) sequence(release string) int64 {
	return s.auditor.bundles(release).manifest.Sequence
}
