package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

const numericLimit = 5_000_000_000

// interval is the range of numbers that a numeric comparison allows.
type interval struct {
	low, high         float64
	hasLow, hasHigh   bool
	openLow, openHigh bool
}

func compileNumeric(operand any) (comparison, error) {
	terms, ok := operand.([]any)
	if !ok {
		return nil, errors.New("value of numeric must be an array")
	}

	if len(terms) != 2 && len(terms) != 4 {
		return nil, fmt.Errorf(
			"numeric: found %d elements, expected an operator and a number, once or twice", len(terms))
	}

	in := interval{low: math.Inf(-1), high: math.Inf(1)}
	alone := len(terms) == 2

	for ; len(terms) > 0; terms = terms[2:] {
		if err := in.narrow(terms[0], terms[1], alone); err != nil {
			return nil, err
		}
	}

	if in.hasLow && in.hasHigh && in.low >= in.high {
		return nil, errors.New("numeric: bottom must be less than top")
	}

	return func(value any) bool {
		number, ok := value.(json.Number)
		if !ok {
			return false
		}

		x, err := number.Float64()

		return err == nil && in.contains(x)
	}, nil
}

// narrow applies one operator with its number. alone says that there is no second one.
func (in *interval) narrow(term, value any, alone bool) error {
	operator, _ := term.(string)
	number, ok := value.(json.Number)

	bound, err := number.Float64()
	if !ok || err != nil || math.Abs(bound) > numericLimit {
		return fmt.Errorf("value of %s must be a number between -%d and %[2]d", operator, numericLimit)
	}

	switch operator {
	case "=":
		if !alone {
			return errors.New("numeric: = must be the only operator")
		}

		in.low, in.high = bound, bound
	case ">", ">=":
		if in.hasLow || in.hasHigh {
			return fmt.Errorf("numeric: %s must be the lower bound and come first", operator)
		}

		in.low, in.openLow, in.hasLow = bound, operator == ">", true
	case "<", "<=":
		if in.hasHigh {
			return fmt.Errorf("numeric: a second upper bound %s", operator)
		}

		in.high, in.openHigh, in.hasHigh = bound, operator == "<", true
	default:
		return fmt.Errorf("unrecognized numeric range operator: %v", term)
	}

	return nil
}

func (in interval) contains(x float64) bool {
	above := x > in.low || x == in.low && !in.openLow
	below := x < in.high || x == in.high && !in.openHigh

	return above && below
}
