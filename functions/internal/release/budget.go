package release

import (
	"fmt"
	"math"
	"time"

	"lockstep/statemachine"
)

// Budget is the rule by which a ramp grows that goes by a harm budget. The first share is so small
// that a release which fails every call harms no more than the budget before anybody can know of
// it. From then on active gets, within the time that it takes to know, so many times the calls
// that were seen: what a fault costs beyond the evidence it takes to see it stays in proportion,
// whatever the fault. Growth is as slow as the time allows that a good release may take, since the
// harm of a bad one grows with it.
type Budget struct {
	Harm    float64       // calls that a release may fail before anybody can know of it
	Within  time.Duration // how long a good release may take
	Minimum int           // of active's calls, for a verdict
	Traffic float64       // calls per second of both environments together
	Period  time.Duration // of the metrics
	// Converges is how long the edges take to go by a new weight.
	Converges time.Duration
}

// delay is the longest time from a call until a decision can know of it: the period in which it is
// counted, two more for its count to come, and one until the next look.
func (b Budget) delay() time.Duration { return 4 * b.Period }

// lag is how old on the average what a look sees is: half of the edges' convergence, half a
// period, and one for the count to come.
func (b Budget) lag() time.Duration { return b.Converges/2 + 3*b.Period/2 }

// between is how far two looks are apart: a schedule comes within a minute of its time.
func (b Budget) between(weight int) time.Duration { return b.Look(weight) + b.Period/2 }

const (
	// lowTraffic and mostAtFirst bound the first share where traffic is so low that the budget would
	// mean everyone.
	lowTraffic  = 0.02
	mostAtFirst = 0.25
	// inTime is the part of the time that is aimed at, so that late metrics and chance have the rest.
	inTime = 0.93
	// untilVerdict is the part of the time that a verdict may take at the first share.
	untilVerdict = 0.2
)

// full is how many calls active would get within the delay, had it all viewers.
func (b Budget) full() float64 { return b.Traffic * b.delay().Seconds() }

// first is how many calls active gets within the delay before anything is known of it: the budget,
// unless traffic is low. Then so many that the minimum comes in time, but never more than a
// quarter of the viewers.
func (b Budget) first() float64 {
	minimum := float64(b.Minimum) * float64(b.delay()) / (untilVerdict * float64(b.Within))
	return min(b.Harm, max(lowTraffic*b.full(), minimum), mostAtFirst*b.full())
}

// growth is how many calls active gets within the delay for each that was seen. Calls grow by e to
// the x within the delay, and were fewer by e to the x lag/delay when those were made that are
// seen now, on the average between two looks.
func (b Budget) growth() float64 {
	begin := max(b.delay(), time.Duration(b.unlucky(float64(b.Minimum))/b.first()*float64(b.delay())))
	left := max(time.Duration(inTime*float64(b.Within))-begin-b.ending(), b.delay())
	delays := float64(left) / float64(b.delay())
	x := math.Log(b.full()/b.first()) / delays

	return x * math.Exp(x*float64(b.lag()+b.Period*3/4)/float64(b.delay()))
}

// unlucky is for how many calls one must plan to have so many, even where chance sends few.
func (b Budget) unlucky(calls float64) float64 { return calls + math.Sqrt(calls) }

// ending is how long everyone has the release before the ramp is over: until something is known of
// it.
func (b Budget) ending() time.Duration { return b.Converges + 13*b.Period/4 }

// Weight is the next weight where so many of active's calls were judged and found good. It is 1 at
// least, the least there is.
func (b Budget) Weight(seen float64) int {
	if b.full() == 0 { // nobody is there to be harmed, nor to learn from
		return 1
	}

	share := (b.first() + b.growth()*seen) / b.full()

	return max(1, int(min(1, share)*statemachine.FullWeight))
}

// Look is how long to wait before the metrics are looked at again: a period, or a tenth of the
// time in which the minimum comes.
func (b Budget) Look(weight int) time.Duration {
	perSecond := b.Traffic * float64(weight) / statemachine.FullWeight
	if perSecond == 0 { // traffic may come at any time
		return LooksPerExtension * b.Period
	}

	return min(max(b.Period, time.Duration(float64(b.Minimum)/perSecond/LooksPerExtension*float64(time.Second))), longestLook)
}

const (
	// LooksPerExtension is how many looks without a verdict count as one extension of a bake.
	LooksPerExtension = 10
	longestLook       = time.Hour
)

// Busiest is the most calls per second that there were, over five periods that have any: what a
// single period has may be chance.
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

	// never five in a row: so few that the mean of those that have any will do
	if perSecond == 0 && len(calls) > 0 {
		sum := 0.0
		for _, n := range calls {
			sum += n
		}

		perSecond = sum / float64(len(calls)) / period.Seconds()
	}

	return perSecond
}

// Forecast is how long a good release takes, by the same rule. Where traffic is too low for any,
// ok is false.
func (b Budget) Forecast() (takes time.Duration, ok bool) {
	type change struct {
		at    time.Duration
		share float64
	}

	var changes []change

	seen, weight := 0.0, 0

	served := func(until time.Duration) (calls float64) {
		for i, c := range changes {
			end := until
			if i+1 < len(changes) {
				end = min(end, changes[i+1].at)
			}

			calls += b.Traffic * c.share * max(0, end-c.at).Seconds()
		}

		return calls
	}
	for now := time.Duration(0); now < 30*24*time.Hour; {
		seen = served(now - b.lag())
		if weight == 0 || seen >= float64(b.Minimum) {
			if next := max(weight, b.Weight(seen)); next > weight {
				weight = next
				changes = append(changes, change{now, float64(weight) / statemachine.FullWeight})
			}
		}

		if weight == statemachine.FullWeight {
			return now + b.ending(), true
		}

		now += b.between(weight)
	}

	return 0, false
}

// String says what the rule does at this traffic.
func (b Budget) String() string {
	first := b.Weight(0)

	text := fmt.Sprintf("harm budget of %s at %s calls a second: first %g %%", number(b.Harm),
		number(b.Traffic), float64(first)/100)
	if b.first() > 0 && b.first()/b.full()*statemachine.FullWeight < 1 {
		text += fmt.Sprintf(", the least there is, which may harm %s",
			number(b.full()/statemachine.FullWeight))
	}

	if takes, ok := b.Forecast(); ok {
		return text + fmt.Sprintf("; a good release takes about %s", takes.Round(time.Minute))
	}

	return text + "; at so little traffic it takes more than a month"
}
