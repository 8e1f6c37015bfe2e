package release

import (
	"fmt"
	"math"
	"time"

	"lockstep/statemachine"
)

// Budget is the ramp by harm budget.
//
// The first share is so small that a release which fails every call fails no more of them than the
// budget before a decision can know about it. From then on, the calls that active gets within that
// delay grow in proportion to the calls that were judged and found good. So the harm of a fault
// stays in proportion to the evidence it takes to see it, whatever the fault. The harm of a bad
// release grows with the speed of the ramp, so the ramp takes all the time that it may.
type Budget struct {
	Harm    float64       // calls that a release may fail before a decision can know about it
	Within  time.Duration // how long a good release may take
	Minimum int           // calls of active that a verdict needs
	Traffic float64       // calls per second of both environments together
	Period  time.Duration // of the metrics
	// Converges is how long it takes until all edges go by a new weight.
	Converges time.Duration
}

// delay is the longest time from a call until a decision can know about it: the period in which it
// is counted, two more until the count can be read, and one until the next look.
func (b Budget) delay() time.Duration { return 4 * b.Period }

// lag is the average age of what a look sees: half of the edges' convergence, half a period, and
// one period until the count can be read.
func (b Budget) lag() time.Duration { return b.Converges/2 + 3*b.Period/2 }

// between is the average time from one look to the next: a schedule fires up to a minute late.
func (b Budget) between(weight int) time.Duration { return b.Look(weight) + b.Period/2 }

const (
	// lowTraffic and mostAtFirst bound the first share, 0 to 1, where traffic is so low that the
	// budget would allow every call.
	lowTraffic  = 0.02
	mostAtFirst = 0.25
	// inTime is the part of Within that the ramp aims at. Late metrics and chance have the rest.
	inTime = 0.93
	// untilVerdict is the part of Within that the first verdict may take.
	untilVerdict = 0.2
)

// full is how many calls active gets within the delay at full weight.
func (b Budget) full() float64 { return b.Traffic * b.delay().Seconds() }

// first is how many calls active gets within the delay at the first share: as many as the budget
// allows, but no more than the first verdict needs, or a fiftieth of the traffic if that is more,
// and never more than a quarter of it.
func (b Budget) first() float64 {
	minimum := float64(b.Minimum) * float64(b.delay()) / (untilVerdict * float64(b.Within))
	return min(b.Harm, max(lowTraffic*b.full(), minimum), mostAtFirst*b.full())
}

// growth is how many calls active gets within the delay for each call that was judged. Within the
// delay, the calls grow by a factor of e^x. A look sees calls of a lag ago, and the next one is
// most of a period away, so the factor makes up for that.
func (b Budget) growth() float64 {
	begin := max(b.delay(), time.Duration(b.unlucky(float64(b.Minimum))/b.first()*float64(b.delay())))
	left := max(time.Duration(inTime*float64(b.Within))-begin-b.ending(), b.delay())
	delays := float64(left) / float64(b.delay())
	x := math.Log(b.full()/b.first()) / delays

	return x * math.Exp(x*float64(b.lag()+b.Period*3/4)/float64(b.delay()))
}

// unlucky is how many calls to plan for so that the given number comes even if chance sends fewer:
// one standard deviation more.
func (b Budget) unlucky(calls float64) float64 { return calls + math.Sqrt(calls) }

// ending is how long the ramp stays at full weight: until a verdict on it is possible.
func (b Budget) ending() time.Duration { return b.Converges + 13*b.Period/4 }

// Weight is the next weight, in basis points, once so many of active's calls were judged and found
// good. It is at least 1, the smallest weight that moves viewers.
func (b Budget) Weight(seen float64) int {
	if b.full() == 0 { // without traffic there is nobody to harm, and nothing to learn
		return 1
	}

	share := (b.first() + b.growth()*seen) / b.full()

	return max(1, int(min(1, share)*statemachine.FullWeight))
}

// Look is how long to wait until the next look at the metrics: a tenth of the time in which active
// gets the minimum of calls at that weight, but at least a period and at most an hour.
func (b Budget) Look(weight int) time.Duration {
	perSecond := b.Traffic * float64(weight) / statemachine.FullWeight
	if perSecond == 0 { // traffic may come at any time
		return LooksPerExtension * b.Period
	}

	minimum := float64(b.Minimum) / perSecond // seconds

	return min(max(b.Period, time.Duration(minimum/LooksPerExtension*float64(time.Second))),
		longestLook)
}

const (
	// LooksPerExtension is how many looks without a verdict count as one extension of a bake.
	LooksPerExtension = 10
	longestLook       = time.Hour
)

// Forecast is how long a good release takes by this ramp. ok is false if it would take more than 30
// days.
func (b Budget) Forecast() (takes time.Duration, ok bool) {
	f := forecast{budget: b}

	for now := time.Duration(0); now < 30*24*time.Hour; now += b.between(f.weight) {
		if f.look(now); f.weight == statemachine.FullWeight {
			return now + b.ending(), true
		}
	}

	return 0, false
}

// forecast is a good release whose calls come evenly.
type forecast struct {
	budget  Budget
	weight  int
	changes []change
}

// change is a new share of the traffic, 0 to 1, and when it was set.
type change struct {
	at    time.Duration
	share float64
}

// look raises the weight if a verdict is possible by now.
func (f *forecast) look(now time.Duration) {
	seen := f.served(now - f.budget.lag())
	if f.weight > 0 && seen < float64(f.budget.Minimum) {
		return
	}

	if next := f.budget.Weight(seen); next > f.weight {
		f.weight = next
		f.changes = append(f.changes, change{now, float64(next) / statemachine.FullWeight})
	}
}

// served is how many calls active has served until then.
func (f *forecast) served(until time.Duration) (calls float64) {
	for i, c := range f.changes {
		end := until
		if i+1 < len(f.changes) {
			end = min(end, f.changes[i+1].at)
		}

		calls += f.budget.Traffic * c.share * max(0, end-c.at).Seconds()
	}

	return calls
}

// String says how the ramp begins at this traffic, and how long it takes.
func (b Budget) String() string {
	text := fmt.Sprintf("harm budget of %s at %s calls a second: first %s", number(b.Harm),
		number(b.Traffic), Percent(b.Weight(0)))
	if b.first() > 0 && b.first()/b.full()*statemachine.FullWeight < 1 {
		text += fmt.Sprintf(", the least there is, which may harm %s",
			number(b.full()/statemachine.FullWeight))
	}

	if takes, ok := b.Forecast(); ok {
		return text + fmt.Sprintf("; a good release takes about %s", takes.Round(time.Minute))
	}

	return text + "; at so little traffic it takes more than a month"
}

// Busiest is the highest traffic, in calls per second, over five periods in a row that have counts:
// one period alone may be chance. calls are the counts by the Unix time at which their period
// begins, without the periods that have none. With fewer than five counts, fewer in a row will do.
// If no five in a row have counts, it is the mean of those that do; without any counts, 0.
func Busiest(calls map[int64]float64, period time.Duration) (perSecond float64) {
	const window = 5

	step := int64(period / time.Second)

	for at := range calls {
		sum, periods := 0.0, 0.0

		for i := range int64(window) {
			if n, ok := calls[at+i*step]; ok {
				sum, periods = sum+n, periods+1
			}
		}

		if periods == window || len(calls) < window {
			perSecond = max(perSecond, sum/periods/period.Seconds())
		}
	}

	// traffic so low that five periods in a row never have counts
	if perSecond == 0 && len(calls) > 0 {
		sum := 0.0
		for _, n := range calls {
			sum += n
		}

		perSecond = sum / float64(len(calls)) / period.Seconds()
	}

	return perSecond
}
