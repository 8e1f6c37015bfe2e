package release

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// Terms say what counts as worse: that an event is more frequent in active than Factor times the
// fallback's rate plus Margin, or, where Fewer, less frequent than Factor times that rate less
// Margin.
type Terms struct {
	// the probability that a release which is not worse is ever called worse, however often one looks
	Level  float64
	Fewer  bool
	Factor float64
	Margin float64
}

// Comparison is a sequential test of active against fallback, period by period: an e-process.
// While active is not worse its value is expected never to grow, so that the probability of ever
// seeing 1/Level is at most Level (Ville's inequality), whether one looks each minute or once.
//
// In each period the value is multiplied by X for each event of active and by Y for each of the
// fallback, with X and Y so that the fallback's events take away what active's are expected to
// add: for n and m calls at the rates p and q, E[X^i Y^j] <= exp(np(X-1) - mq(1-Y)), which is at
// most 1 where p <= q and n(X-1) = m(1-Y). Nothing is assumed of q, which may be another in every
// period: an outage that hits both environments cancels out. That is the test of inhomogeneous
// Bernoulli and Poisson processes of Lindon & Malek, Anytime-Valid Inference For Multinomial Count
// Data (NeurIPS 2022, arXiv:2011.03567), one-sided as in Turner, Ly & Grünwald, Generic
// E-variables for Exact Sequential k-Sample Tests (arXiv:2106.02693).
//
// Nobody knows how much worse a bad release is, nor since when: the value is a mixture over ratios
// of the two rates (Robbins' mixture) and over the periods in which the trouble may begin (Shin,
// Ramdas & Rinaldo, E-detectors, arXiv:2203.03532, with weights that sum to 1).
type Comparison struct {
	terms   Terms
	ratios  []float64
	values  []float64 // logarithms, one for each ratio
	periods int       // that said anything
	// bound has, for each of steps, the logarithm of the e-process by which Excess is bounded, without
	// its term in the excess; calls is how many of active's went into it.
	bound []float64
	calls float64
}

var (
	// more and fewer are how many times as frequent an event may be in active: what the mixture looks
	// for.
	more  = []float64{1.1, 1.2, 1.35, 1.6, 2, 3, 5, 10, 25, 100, 1000}
	fewer = []float64{0.9, 0.8, 0.7, 0.6, 0.5, 0.35, 0.2, 0.1, 0.03, 0}
	// steps are how much each event of active takes from the evidence that there is no excess.
	steps = []float64{0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4, 0.6, 0.8, 1}
)

// NewComparison begins a comparison.
func NewComparison(terms Terms) *Comparison {
	c := &Comparison{terms: terms, ratios: more, bound: make([]float64, len(steps))}
	if terms.Fewer {
		c.ratios = fewer
	}

	c.values = make([]float64, len(c.ratios))
	for i := range c.values {
		c.values[i] = math.Inf(-1)
	}

	return c
}

// Add takes another period into account.
func (c *Comparison) Add(p Period) {
	if p.Active.Of == 0 {
		return
	}

	least, most := p.shares()
	c.test(p, least, most)
	c.calls += p.Active.Of

	odds := 0.0 // where the fallback had no calls, its failures are no excuse
	if least < 1 {
		odds = least / (1 - least)
	}

	for i, x := range steps {
		c.bound[i] += power(p.Active.Events, 1-x) + p.Fallback.Events*math.Log1p(odds*x)
	}
}

func (c *Comparison) test(p Period, least, most float64) {
	share := most
	if c.terms.Fewer {
		share = least
	}

	share = c.terms.Factor * share / (c.terms.Factor*share + 1 - share)
	if c.terms.Factor == 0 {
		share = 0
	}

	if share >= 1 || share == 0 && c.terms.Factor > 0 && c.terms.Fewer {
		return // there is nothing to compare with
	}

	c.periods++

	begun := math.Log(begins(c.periods) / float64(len(c.ratios)))
	for i, ratio := range c.ratios {
		scale := 1 + share*(ratio-1)
		x := ratio / scale
		grown := power(p.Active.Events, x) - p.Fallback.Events*math.Log(scale) - c.terms.Margin*p.Active.Of*math.Abs(x-1)
		c.values[i] = plus(c.values[i], begun) + grown
	}
}

// begins is the weight of a beginning of the trouble in the n-th period: half is for the first.
// The sum of 1/(n ln² n) from 2 on is 2.1097.
func begins(n int) float64 {
	if n == 1 {
		return 0.5
	}

	ln := math.Log(float64(n))

	return 0.5 / (2.11 * float64(n) * ln * ln)
}

// power is the logarithm of x to the n-th.
func power(n, x float64) float64 {
	if n == 0 {
		return 0
	}

	return n * math.Log(x)
}

// plus is the logarithm of the sum of what two logarithms stand for.
func plus(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}

	if math.IsInf(a, -1) {
		return a
	}

	return a + math.Log1p(math.Exp(b-a))
}

// Value is the e-value: how many times the stakes have grown of someone who bets that active is
// worse.
func (c *Comparison) Value() float64 { return math.Exp(floats.LogSumExp(c.values)) }

// Enough is the value from which on active counts as worse.
func (c *Comparison) Enough() float64 { return 1 / c.terms.Level }

// Worse tells whether active is worse than the terms allow.
func (c *Comparison) Worse() bool { return c.Value() >= c.Enough() }

// Excess is an upper bound on how many more events there are per call of active than of the
// fallback, averaged over active's calls so far; 1 where nothing is known. The probability that it
// is ever too low is at most level. It is the same e-process turned around: it grows with the
// fallback's events and shrinks with active's, and the bound is the excess at which it is 1/level.
func (c *Comparison) Excess(level float64) float64 {
	if c.calls == 0 {
		return 1
	}

	terms := make([]float64, len(steps))

	low, high := -1.0, 1.0
	for range 50 {
		excess := (low + high) / 2
		for i, x := range steps {
			terms[i] = c.bound[i] + excess*x*c.calls
		}

		if floats.LogSumExp(terms)-math.Log(float64(len(steps))) < -math.Log(level) {
			low = excess
		} else {
			high = excess
		}
	}

	return high
}
