package release

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/gonum/mathext"

	"lockstep/statemachine"
)

// Evidence is what the metrics had to say, of the hour before the ramp and of every period since.
type Evidence struct {
	Ringing []string // alarms of the active environment, less those that rang before the release
	Muted   []string // those that rang before, and ring still
	// Criteria are what is compared. The first counts calls, and those that failed.
	Criteria []Criterion
	Ramp     time.Time // when the first viewers came to active
	Bake     time.Time // when the bake under way began
	Minimum  int       // of active's calls in the bake, for a verdict
	// Level is the probability that the comparison calls a good release bad, at most; 0 for
	// DefaultLevel.
	Level float64
}

// DefaultLevel is one false alarm in 200 good releases, however many criteria there are and
// however often one looks.
const DefaultLevel = 0.005

const (
	// alone is the part of the level that is for the time after the ramp, when there is no fallback to
	// compare with.
	alone = 0.2
	// sure is how sure the upper bound of a finding is.
	sure = 0.95
	// suspicious is the part of enough evidence from which on the ramp does not go on.
	suspicious = 0.1
	// bearable is the share of failed calls that passes where there is nothing to compare it with.
	bearable = 0.05
)

// Criterion is one of the things that are compared, and what counts as worse.
type Criterion struct {
	Name string
	// Says is how a tally reads: "%s of %s calls failed".
	Says string
	// Fewer says that the event is welcome: orders.
	Fewer bool
	// Factor times the fallback's rate and Margin more, or less where Fewer, is still as good.
	Factor, Margin float64
	// Drift times the fallback's earlier rate and Later more is still as good, once it has no calls of
	// its own: then nobody can tell the release's trouble from everyone's.
	Drift, Later float64
	// Excused are so many events of active in each period, such as cold starts.
	Excused float64
	// Counted is until when all events were counted, where they come later than what they are held
	// against; zero for always.
	Counted time.Time
	Periods []Period
}

// Finding is what came of one criterion.
type Finding struct {
	Criterion        string
	Active, Fallback Tally
	// Alone says that active was held against what the fallback had counted before it had all the
	// viewers.
	Alone bool
	// Value is the e-value, and Enough where it counts.
	Value, Enough float64
	// Excess bounds from above, at 95 %, how many more events there are per call than in the fallback.
	Excess float64

	says string
}

// Worse tells whether active is worse.
func (f Finding) Worse() bool { return f.Value >= f.Enough }

func (f Finding) String() string {
	tally := func(t Tally) string { return fmt.Sprintf(f.says, number(t.Events), number(t.Of)) }

	where, how := "in the fallback", "is enough"
	if f.Alone {
		where = "in the fallback before"
	}

	if !f.Worse() {
		how = "would be enough"
	}

	return fmt.Sprintf("%s, %s %s of %s: e-value %s, %s %s", tally(f.Active), where,
		number(f.Fallback.Events), number(f.Fallback.Of), number(f.Value), number(f.Enough), how)
}

// Judgement is a verdict and its reasons.
type Judgement struct {
	Verdict statemachine.Verdict
	// Alarm is the first alarm that rings, where one does.
	Alarm    string
	Why      string
	Findings []Finding
}

// Breach is the name of the error by which a breached verdict rolls back: an alarm rang, or active
// is worse.
func (j Judgement) Breach() string {
	if j.Alarm != "" {
		return statemachine.AlarmBreached
	}

	return statemachine.Regression
}

// Judge weighs the evidence and says why. No data is never healthy; a minimum of calls is needed
// to call a release healthy, never to call it bad. Alarms alone would let a release pass whose
// alarm rang before it began, or that fails too little for a threshold, so active is compared with
// the fallback as well.
func Judge(e Evidence) Judgement {
	j := Judgement{Findings: Weigh(e)}
	calls := e.baked()

	var worse, unsure, all []string
	for _, f := range j.Findings {
		all = append(all, f.String())
		if f.Worse() {
			worse = append(worse, f.String())
		} else if f.Value >= suspicious*f.Enough {
			unsure = append(unsure, f.String())
		}
	}

	failed := fmt.Sprintf("%s of %s calls failed", number(calls.Active.Events),
		number(calls.Active.Of))
	j.Verdict = statemachine.Inconclusive

	switch {
	case len(e.Ringing) > 0:
		j.Verdict, j.Alarm = statemachine.Breached, e.Ringing[0]
		j.Why = fmt.Sprintf("alarm %s rings: %s", strings.Join(e.Ringing, ", "), failed)
	case len(worse) > 0:
		j.Verdict, j.Why = statemachine.Breached, strings.Join(worse, "; ")
	case calls.Active.Of == 0:
		j.Why = "no calls were measured: no data is not health"
	case calls.Active.Of < float64(e.Minimum):
		j.Why = fmt.Sprintf("%s calls were measured, %d are needed", number(calls.Active.Of), e.Minimum)
	case len(unsure) > 0:
		j.Why = "too much to go on, too little to go back: " + strings.Join(unsure, "; ")
	case len(all) == 0 && (calls.Active.rate() > bearable || len(e.Muted) > 0 &&
		calls.Active.Events > 0):
		j.Why = failed + ", and the fallback has no calls to compare with"
	default:
		j.Verdict, j.Why = statemachine.Healthy, failed
		if len(all) > 0 {
			j.Why = strings.Join(all, "; ")
		}
	}

	switch {
	case len(e.Ringing) > 0:
	case len(e.Muted) > 0:
		j.Why = fmt.Sprintf("alarm %s rings as it did before; %s", strings.Join(e.Muted, ", "), j.Why)
	case j.Verdict == statemachine.Healthy:
		j.Why = "no alarm rings; " + j.Why
	}

	return j
}

// baked sums up the bake's calls.
func (e Evidence) baked() (sum Period) {
	if len(e.Criteria) == 0 {
		return sum
	}

	for _, p := range e.Criteria[0].Periods {
		if !p.At.Before(e.Bake) {
			sum.Active, sum.Fallback = sum.Active.plus(p.Active), sum.Fallback.plus(p.Fallback)
		}
	}

	return sum
}

// Weigh compares active with the fallback by each criterion for which both have something to say:
// over the same periods while they share the viewers, and from then on with what the fallback had
// counted until then.
func Weigh(e Evidence) []Finding {
	level := e.Level
	if level == 0 {
		level = DefaultLevel
	}

	level /= float64(max(len(e.Criteria), 1))

	var findings []Finding

	for _, c := range e.Criteria {
		if f, ok := c.together(e.Ramp, level*(1-alone)); ok {
			findings = append(findings, f)
		}

		if f, ok := c.afterwards(e.Ramp, level*alone); ok {
			findings = append(findings, f)
		}
	}

	return findings
}

// together compares the periods in which both environments had viewers.
func (c Criterion) together(ramp time.Time, level float64) (Finding, bool) {
	test := NewComparison(Terms{Level: level, Fewer: c.Fewer, Factor: c.Factor, Margin: c.Margin})

	f := Finding{Criterion: c.Name, says: c.Says}
	for _, p := range c.Periods {
		if p.At.Before(ramp) || p.From >= 1 || p.Active.Of == 0 || p.Fallback.Of == 0 {
			continue
		}

		f.Active, f.Fallback = f.Active.plus(p.Active), f.Fallback.plus(p.Fallback)
		test.Add(c.excuse(p))
	}

	f.Value, f.Enough, f.Excess = test.Value(), test.Enough(), test.Excess(1-sure)

	return f, f.Active.Of > 0
}

// afterwards compares the periods in which active had all viewers with a bound on the fallback's
// rate before.
func (c Criterion) afterwards(ramp time.Time, level float64) (Finding, bool) {
	f := Finding{Criterion: c.Name, Alone: true, says: c.Says}
	for _, p := range c.Periods {
		if p.From < 1 {
			f.Fallback = f.Fallback.plus(p.Fallback)
		}
	}

	if f.Fallback.Of == 0 {
		return f, false
	}
	// The bound takes half of the level. With no rate of the fallback in the terms, the margin is all
	// that active may have.
	terms := Terms{Level: level / 2, Fewer: c.Fewer}
	if c.Fewer {
		terms.Margin = -(lower(f.Fallback, level/2)/c.Drift - c.Later)
	} else {
		terms.Margin = upper(f.Fallback, level/2)*c.Drift + c.Later
	}

	test := NewComparison(terms)

	for _, p := range c.Periods {
		if p.From < 1 || p.At.Before(ramp) {
			continue
		}

		// few may only be late; a fallback would be short of them too
		if c.Fewer && !c.Counted.IsZero() && !p.At.Before(c.Counted) {
			continue
		}

		f.Active = f.Active.plus(p.Active)
		test.Add(c.excuse(Period{Active: p.Active}))
	}

	f.Value, f.Enough, f.Excess = test.Value(), test.Enough(), test.Excess(1-sure)

	return f, f.Active.Of > 0
}

func (c Criterion) excuse(p Period) Period {
	p.Active.Events = max(0, p.Active.Events-c.Excused)
	return p
}

// upper and lower bound the rate behind a tally, of Poisson's distribution and so of Bernoulli's,
// which varies less. https://www.itl.nist.gov/div898/handbook/apr/section1/apr192.htm
func upper(t Tally, level float64) float64 {
	return mathext.GammaIncRegInv(t.Events+1, 1-level) / t.Of
}

func lower(t Tally, level float64) float64 {
	if t.Events == 0 {
		return 0
	}

	return mathext.GammaIncRegInv(t.Events, level) / t.Of
}

// number writes a number as people do: 61,000; 0.08 where it is small.
func number(x float64) string {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return fmt.Sprint(x)
	case x > 1e9:
		return fmt.Sprintf("%.0e", x)
	case x < 10 && x != math.Trunc(x):
		return strconv.FormatFloat(x, 'g', 2, 64)
	}

	digits := strconv.FormatFloat(x, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}

	return digits
}
