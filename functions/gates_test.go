package functions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"lockstep/infra/local/stack"
	sm "lockstep/statemachine"
)

// gates are what keeps a release from beginning, from its first viewer, from growing and from
// contract, as the auditor knows them: from the script, and from nothing that a step wrote.
type gates struct {
	frozen   time.Time       // since when; zero where nothing is
	hotfixes map[string]bool // what was announced as one, at any time
	// what waited as one the last time: started again in the console it is none any more
	urgent   map[string]bool
	disliked map[string]bool      // what the team's probe says no to
	agreed   map[string]time.Time // when it said yes
}

// gated sets what cdk.json may ask for beside steps and their bakes.
func gated(d *rand.Rand, o *stack.Options) {
	if d.Float64() < 0.2 {
		for hour := range 24 {
			o.Windows = append(o.Windows, sm.Window{Days: []string{"mon", "tue", "wed", "thu", "fri", "sat",
				"sun"},
				From: fmt.Sprintf("%02d:00", hour), To: fmt.Sprintf("%02d:%02d", hour, opened), Zone: "UTC"})
		}
	}

	if d.Float64() < 0.25 {
		o.Drain.Then, o.Drain.HoldAtMost = sm.ThenHold, minutes(20+d.IntN(100))
	}

	if d.Float64() < 0.3 {
		asks(o)
	}

	switch kind := d.Float64(); {
	case kind < 0.15:
		o.Ramp.Steps, o.Ramp.HarmBudget, o.Ramp.Within = nil, 50, minutes(60)
		o.Ramp.OnInconclusive = sm.Hold // the first share of so few callers may have no calls for long
	case kind < 0.35:
		o.Ramp.Steps[d.IntN(len(o.Ramp.Steps))].Approval = true
	}
}

// opened is how many minutes of each hour the windows are open.
const opened = 40

func closed(at time.Time) bool { return at.Minute() >= opened }

// teamLooks is the Lambda of the team's that is asked before any viewer comes.
func (s *simulation) teamLooks() {
	s.answers(func(_ context.Context, payload []byte) ([]byte, error) {
		var asked sm.ProbeQuestion
		if err := json.Unmarshal(payload, &asked); err != nil {
			return nil, err
		}

		s.auditor.mu.Lock()
		defer s.auditor.mu.Unlock()

		if s.auditor.disliked[asked.Release] {
			return []byte(`{"ok": false, "reason": "the team does not like it"}`), nil
		}

		s.auditor.agreed[asked.Release] = time.Now()

		return []byte(`{"ok": true}`), nil
	})
}

// freezes and thaws are what lockstep freeze and unfreeze do, or somebody in the console.
func (s *simulation) freezes() {
	s.freeze("says the seed")
	s.auditor.mu.Lock()
	defer s.auditor.mu.Unlock()

	s.auditor.frozen = time.Now()
}

func (s *simulation) thaws() {
	s.auditor.mu.Lock()
	s.auditor.frozen = time.Time{}
	s.auditor.mu.Unlock()
	s.freeze("off")
}

// scriptGates is what people have to do with them.
func (s *simulation) scriptGates(d *rand.Rand, some func() time.Duration,
	add func(time.Duration, string, func())) {
	if d.Float64() < 0.3 {
		at := some()
		add(at, "somebody freezes", s.freezes)
		add(at+time.Duration(d.Int64N(int64(90*time.Minute))), "the freeze is over", s.thaws)
	}

	for d.Float64() < 0.5 {
		word := []sm.SignalKind{sm.SignalApprove, sm.SignalContract}[d.IntN(2)]
		add(some(), "the operator says "+string(word), func() { s.operator(word) })
	}
}

// announce says that a release was merged, or that it is a hotfix.
func (s *simulation) announce(r *bundled, urgent bool) {
	if !urgent {
		s.merge(r)
		return
	}

	s.auditor.mu.Lock()
	s.auditor.hotfixes[r.manifest.Release] = true
	s.auditor.mu.Unlock()
	s.upload(r)
	s.putEvent(sm.SourceCI, sm.DetailMerge, hotfix(r.manifest.Release, r.manifest.Sequence))
}

// sawBegin makes sure that a release takes the free lock only when it may. Whoever was called
// before a freeze may not know of it.
func (a *auditor) sawBegin(was, now lockObject, by *invocation) {
	release := now.Holder.Release
	if a.hotfixes[release] {
		return
	}

	if !a.frozen.IsZero() && by.began.After(a.frozen) {
		a.wrong(4, "%s lets %s begin while everything is frozen", by, release)
	}

	for _, p := range was.Queue {
		if p.Hotfix && p.Release != release {
			a.wrong(4, "%s begins before %s, a hotfix that waits", release, p.Release)
		}
	}
}

// sawGrowth makes sure that nothing forbade a weight that a release is to get, from the time on
// when whoever decided it was called: it may stand still between its look and its word.
func (a *auditor) sawGrowth(att *attempt, from, to int, by *invocation) {
	if a.hotfixes[att.release] {
		return
	}

	if !a.frozen.IsZero() && by.began.After(a.frozen) {
		a.wrong(3, "%s lets %s grow to %d while everything is frozen", by, att.release, to)
	}

	plan, now := a.stack.Settings, time.Now()
	if len(plan.Windows) > 0 && !att.spoken && closed(by.began) && closed(now) &&
		now.Sub(by.began) < time.Hour-opened*time.Minute {
		a.wrong(3, "%s lets %s grow to %d outside of the windows", by, att.release, to)
	}

	for _, step := range plan.Ramp.Steps {
		if weight := int(step.Percent * 100); step.Approval && from < weight && to >= weight &&
			!att.approved[from] {
			a.wrong(3, "%s grows from %d to %d, and nobody has approved it", att.release, from, to)
		}
	}
}

// sawFirstViewers makes sure that a release begins small, and that whoever must look at it first
// has.
func (a *auditor) sawFirstViewers(att *attempt, weight int) {
	plan := a.stack.Settings

	most := sm.FullWeight / 4 // of a harm budget, where it is said of low traffic
	if plan.Ramp.HarmBudget == 0 {
		most = int(plan.Ramp.Steps[0].Percent * 100)
	}

	if weight > most && !att.spoken {
		a.wrong(3, "%s begins with %d", att.release, weight)
	}

	if plan.Probe != nil && a.agreed[att.release].Before(att.opened) {
		a.wrong(1, "%s gets its first viewers, and the team's probe has not agreed", att.release)
	}
}

// sawContract makes sure that the way back was kept open for as long as was asked for.
func (a *auditor) sawContract(att *attempt) {
	plan := a.stack.Settings.Drain
	if plan.Then == sm.ThenHold && !none(att.base) && !att.contract &&
		time.Since(att.promoted) < plan.HoldAtMost.Std() {
		a.wrong(5, "%s contracts %s after its promotion, and the way back is to be kept open for %s",
			att.release, time.Since(att.promoted), plan.HoldAtMost)
	}
}
