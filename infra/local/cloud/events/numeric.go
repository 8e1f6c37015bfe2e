package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

const numericLimit = 5_000_000_000

// interval is what a numeric comparison allows.
type interval struct {
	low, high         float64
	openLow, openHigh bool
}

func compileNumeric(operand any) (comparison, error) {
	terms, ok := operand.([]any)
	if !ok {
		return nil, errors.New("value of numeric must be an array")
	}

	if len(terms) != 2 && len(terms) != 4 {
		return nil, fmt.Errorf("numeric: found %d elements, expected an operator and a number, once or "+
			"twice", len(terms))
	}

	in := interval{low: math.Inf(-1), high: math.Inf(1)}
	pair := len(terms) == 4

	var low, high bool

	for ; len(terms) > 0; terms = terms[2:] {
		operator, _ := terms[0].(string)
		number, ok := terms[1].(json.Number)

		bound, err := number.Float64()
		if !ok || err != nil || math.Abs(bound) > numericLimit {
			return nil, fmt.Errorf("value of %s must be a number between -%d and %[2]d", operator,
				numericLimit)
		}

		switch operator {
		case "=":
			if pair {
				return nil, errors.New("numeric: = stands alone")
			}

			in.low, in.high = bound, bound
		case ">", ">=":
			if low || high {
				return nil, fmt.Errorf("numeric: %s must be the lower bound and come first", operator)
			}

			in.low, in.openLow, low = bound, operator == ">", true
		case "<", "<=":
			if high {
				return nil, fmt.Errorf("numeric: a second upper bound %s", operator)
			}

			in.high, in.openHigh, high = bound, operator == "<", true
		default:
			return nil, fmt.Errorf("unrecognized numeric range operator: %v", terms[0])
		}
	}

	if low && high && in.low >= in.high {
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

func (in interval) contains(x float64) bool {
	return (x > in.low || x == in.low && !in.openLow) && (x < in.high || x == in.high && !in.openHigh)
}
