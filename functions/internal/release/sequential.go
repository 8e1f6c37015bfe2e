package release

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// Terms say what counts as a regression: active's rate of an event is higher than the fallback's
// times Factor, plus Margin. Where Fewer, it is lower than the fallback's times Factor, less
// Margin.
type Terms struct {
	// Level bounds the probability, 0 to 1, that a release without a regression is ever called one,
	// however often one looks.
	Level  float64
	Fewer  bool    // the event is welcome
	Factor float64 // of the fallback's rate; 0 leaves Margin alone
	Margin float64 // in events per call
}

// Comparison is a sequential test of active against the fallback, period by period: an e-process.
// Without a regression, its expected value is never above 1. So the probability that it ever
// reaches 1/Level is at most Level (Ville's inequality), whether one looks each minute or once.
//
// In each period the value is multiplied by X for each event of active and by Y for each event of
// the fallback. X and Y are chosen so that the fallback's events take away what active's are
// expected to add: for n and m calls at the rates p and q, E[X^i Y^j] <= exp(np(X-1) - mq(1-Y)).
// That is at most 1 where p <= q and n(X-1) = m(1-Y). Nothing is assumed about q, which may differ
// in every period: an outage that hits both environments cancels out. This is the test of
// inhomogeneous Bernoulli and Poisson processes of Lindon & Malek, Anytime-Valid Inference For
// Multinomial Count Data (NeurIPS 2022, arXiv:2011.03567), one-sided as in Turner, Ly & Grünwald,
// Generic E-variables for Exact Sequential k-Sample Tests (arXiv:2106.02693).
//
// Neither the size of a regression is known, nor when it begins. So the value is a mixture over
// ratios of the two rates (Robbins' mixture) and over the periods in which the regression may
// begin (Shin, Ramdas & Rinaldo, E-detectors, arXiv:2203.03532, with weights that sum to 1).
type Comparison struct {
	terms   Terms
	ratios  []float64
	values  []float64 // the logarithm of the e-process of each ratio
	periods int       // how many periods went into values
	// bound has, for each of steps, the logarithm of the e-process that bounds Excess, without its
	// term in the excess. calls is how many calls of active went into it.
	bound []float64
	calls float64
}

var (
	// more and fewer are the ratios of active's rate to the fallback's that the mixture looks for.
	more  = []float64{1.1, 1.2, 1.35, 1.6, 2, 3, 5, 10, 25, 100, 1000}
	fewer = []float64{0.9, 0.8, 0.7, 0.6, 0.5, 0.35, 0.2, 0.1, 0.03, 0}
	// steps are how much each event of active takes from the evidence that there is no excess.
	steps = []float64{0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4, 0.6, 0.8, 1}
)

// NewComparison is a comparison that has seen no period yet.
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

// Add takes another period into account; one without calls of active changes nothing.
func (c *Comparison) Add(p Period) {
	if p.Active.Of == 0 {
		return
	}

	least, most := p.shares()
	c.test(p, least, most)
	c.calls += p.Active.Of

	odds := 0.0 // a fallback without calls excuses nothing
	if least < 1 {
		odds = least / (1 - least)
	}

	for i, x := range steps {
		c.bound[i] += power(p.Active.Events, 1-x) + p.Fallback.Events*math.Log1p(odds*x)
	}
}

// test multiplies the e-process of each ratio. least and most bound active's share of the calls: it
// takes the one that favours active.
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
		grown := power(p.Active.Events, x) - p.Fallback.Events*math.Log(scale) -
			c.terms.Margin*p.Active.Of*math.Abs(x-1)
		c.values[i] = plus(c.values[i], begun) + grown
	}
}

// begins is the mixture's weight of a regression that begins in the n-th period, counted from 1.
// The first has half; the others share the other half, since the sum of 1/(n ln² n) from 2 on is
// 2.1097.
func begins(n int) float64 {
	if n == 1 {
		return 0.5
	}

	ln := math.Log(float64(n))

	return 0.5 / (2.11 * float64(n) * ln * ln)
}

// power is the logarithm of x to the power of n.
func power(n, x float64) float64 {
	if n == 0 {
		return 0
	}

	return n * math.Log(x)
}

// plus adds two numbers that are given by their logarithms: ln(e^a + e^b).
func plus(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}

	if math.IsInf(a, -1) {
		return a
	}

	return a + math.Log1p(math.Exp(b-a))
}

// Value is the e-value: by how much the money has grown of somebody who bets on a regression.
func (c *Comparison) Value() float64 { return math.Exp(floats.LogSumExp(c.values)) }

// Threshold is the e-value that shows a regression.
func (c *Comparison) Threshold() float64 { return 1 / c.terms.Level }

// Regressed tells whether the comparison shows a regression.
func (c *Comparison) Regressed() bool { return c.Value() >= c.Threshold() }

// Excess is an upper bound on how many more events per call active has than the fallback, averaged
// over active's calls so far. It lies between -1 and 1, and is 1 without any calls. The probability
// that it is ever too low is at most level. It is the same e-process the other way around, which
// grows with the fallback's events and shrinks with active's: the bound is the excess at which the
// process reaches 1/level.
func (c *Comparison) Excess(level float64) float64 {
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
