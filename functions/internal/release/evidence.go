package release

import (
	"fmt"
	"time"
)

// Evidence is what the metrics say about a release: the hour before the ramp, which is the
// baseline, and every period since.
type Evidence struct {
	// Ringing are the alarms of the active environment that ring, without the muted ones.
	Ringing []string
	// Muted are the alarms that already rang before the release, and still ring.
	Muted []string
	// Criteria are what is compared. The first one counts calls, and those that failed.
	Criteria []Criterion
	Ramp     time.Time // when the first viewers came to active
	Bake     time.Time // when the current bake began
	Minimum  int       // how many calls of active in the bake a verdict needs
	// Level bounds the probability that the comparison calls a good release a regression, over all
	// criteria and looks. 0 stands for DefaultLevel.
	Level float64
}

// DefaultLevel is one false alarm in 200 good releases, however many criteria there are and
// however often one looks.
const DefaultLevel = 0.005

// Criterion is one of the things that are compared, and what counts as a regression in it.
//
// While the environments share the viewers, active is compared with the fallback over the same
// periods: Factor and Margin apply. Once active has all viewers, it is compared with the baseline,
// what the fallback counted before: BaselineFactor and BaselineMargin apply. They are wider, since
// nothing then tells the release's trouble from everybody's.
type Criterion struct {
	Name string
	// Says is the format of a tally, with its two numbers: "%s of %s calls failed".
	Says string
	// Fewer says that the event is welcome, such as an order: fewer of it are a regression.
	Fewer bool
	// A rate up to the fallback's times Factor, plus Margin, is still good. Where Fewer, a rate down
	// to the fallback's times Factor, less Margin, is. Margin is in events per call.
	Factor, Margin float64
	// A rate up to the baseline's times BaselineFactor, plus BaselineMargin, is still good. Where
	// Fewer, a rate down to the baseline's divided by BaselineFactor, less BaselineMargin, is.
	BaselineFactor, BaselineMargin float64
	// Excused is how many events of active in each period are not counted, such as cold starts.
	Excused float64
	// Counted is the time up to which the counts of a welcome event are complete: it may be counted
	// later than the call it belongs to. Zero means that all counts are complete.
	Counted time.Time
	Periods []Period
}

// Finding is the result of one comparison of one criterion.
type Finding struct {
	Criterion string
	// Active is compared with Fallback: over the same periods or, if Baseline, with what the
	// fallback counted before active had all viewers.
	Active, Fallback Tally
	Baseline         bool
	// Value is the e-value. At Threshold and above it shows a regression.
	Value, Threshold float64
	// Excess is an upper bound, at 95 %, on how many more events per call active has.
	Excess float64

	says string
}

// Regressed tells whether the finding shows a regression.
func (f Finding) Regressed() bool { return f.Value >= f.Threshold }

// suspicious is the part of a finding's threshold from which on the ramp does not continue.
const suspicious = 0.1

// suspicious tells whether the finding shows some evidence of a regression.
func (f Finding) suspicious() bool { return f.Value >= suspicious*f.Threshold }

// String is the finding in numbers: "4 of 310 calls failed, against 12 of 61,000 in the fallback:
// e-value 9,984, threshold 250".
func (f Finding) String() string {
	reference := "fallback"
	if f.Baseline {
		reference = "baseline"
	}

	return fmt.Sprintf("%s, against %s of %s in the %s: e-value %s, threshold %s",
		fmt.Sprintf(f.says, number(f.Active.Events), number(f.Active.Of)),
		number(f.Fallback.Events), number(f.Fallback.Of), reference,
		number(f.Value), number(f.Threshold))
}

// baked sums up the calls of the current bake.
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
