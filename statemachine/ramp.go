package statemachine

import (
	"errors"
	"fmt"
	"math"
)

// Linear is steps of one size: 10, 20, 30, ... to 100.
type Linear struct {
	By    float64  `json:"by"` // percent
	Every Duration `json:"every"`
}

// Exponential is steps that each multiply the one before: 1, 3, 9, ... to 100.
type Exponential struct {
	From   float64  `json:"from"` // percent
	Factor float64  `json:"factor"`
	Bake   Duration `json:"bake"`
}

// maxSteps keeps a ramp within the history that an execution may have.
const maxSteps = 100

// Expanded is the plan with the steps that its shorthand stands for. Its errors name the field.
func (p RampPlan) Expanded() (RampPlan, error) {
	var err error

	switch {
	case p.Linear == nil && p.Exponential == nil:
		return p, nil
	case p.Steps != nil, p.Linear != nil && p.Exponential != nil:
		return p, errors.New("ramp: found more than one of steps, linear and exponential, expected one")
	case p.Linear != nil:
		p.Steps, err = p.Linear.steps()
	default:
		p.Steps, err = p.Exponential.steps()
	}

	p.Linear, p.Exponential = nil, nil

	return p, err
}

func (l Linear) steps() ([]RampStep, error) {
	if !(l.By > 0 && l.By <= 100) {
		return nil, fmt.Errorf("ramp.linear.by: found %g, expected more than 0 and at most 100 (percent)",
			l.By)
	}

	return grow("ramp.linear.by", l.Every, func(n int) float64 { return l.By * float64(n+1) })
}

func (e Exponential) steps() ([]RampStep, error) {
	if !(e.From > 0 && e.From <= 100) {
		return nil, fmt.Errorf("ramp.exponential.from: found %g, expected more than 0 and at most 100 "+
			"(percent)", e.From)
	}

	if !(e.Factor > 1) {
		return nil, fmt.Errorf("ramp.exponential.factor: found %g, expected more than 1", e.Factor)
	}

	return grow("ramp.exponential.factor", e.Bake,
		func(n int) float64 { return e.From * math.Pow(e.Factor, float64(n)) })
}

// grow makes steps until everyone is reached; the field is the one that says how fast.
func grow(field string, bake Duration, percent func(n int) float64) ([]RampStep, error) {
	var steps []RampStep

	for n := range maxSteps {
		share := min(math.Round(percent(n)*100)/100, 100) // the route counts in hundredths
		if share > 0 {
			steps = append(steps, RampStep{Percent: share, Bake: bake})
		}

		if share == 100 {
			return steps, nil
		}
	}

	return nil, fmt.Errorf("%s: found a ramp of more than %d steps, expected larger ones", field,
		maxSteps)
}
