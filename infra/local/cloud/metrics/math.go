package metrics

import (
	"fmt"
	"math"
)

// value is a number, or one or more time series.
type value struct {
	number float64
	lines  []points
}

func (n number) eval(func(string) (value, error), window) (value, error) {
	return value{number: float64(n)}, nil
}

func (n name) eval(look func(string) (value, error), _ window) (value, error) {
	return look(string(n))
}

func (n negated) eval(look func(string) (value, error), w window) (value, error) {
	of, err := n.of.eval(look, w)
	if err != nil {
		return value{}, err
	}

	return combine(func(x []float64) float64 { return -x[0] }, of)
}

func (l list) eval(look func(string) (value, error), w window) (value, error) {
	var all value

	for _, element := range l {
		one, err := element.eval(look, w)
		if err != nil {
			return value{}, err
		}

		if len(one.lines) == 0 {
			return value{}, fmt.Errorf("a list must consist of time series")
		}

		all.lines = append(all.lines, one.lines...)
	}

	return all, nil
}

func (b binary) eval(look func(string) (value, error), w window) (value, error) {
	left, err := b.left.eval(look, w)
	if err != nil {
		return value{}, err
	}

	right, err := b.right.eval(look, w)
	if err != nil {
		return value{}, err
	}

	return combine(func(x []float64) float64 { return apply(b.operator, x[0], x[1]) }, left, right)
}

func apply(operator string, a, b float64) float64 {
	switch operator {
	case "+":
		return a + b
	case "-":
		return a - b
	case "*":
		return a * b
	case "/":
		return a / b // combine drops the point of a division by zero
	case "==":
		return truth(a == b)
	case "!=":
		return truth(a != b)
	case "<":
		return truth(a < b)
	case "<=":
		return truth(a <= b)
	case ">":
		return truth(a > b)
	case ">=":
		return truth(a >= b)
	case "&&", "AND":
		return truth(a != 0 && b != 0)
	}

	return truth(a != 0 || b != 0)
}

func truth(b bool) float64 {
	if b {
		return 1
	}

	return 0
}

// combine applies a function point by point. A number is combined with every point, a single series
// with every series. The result has a point where all series have one and f gives a number.
func combine(f func([]float64) float64, operands ...value) (value, error) {
	count := 0
	for _, v := range operands {
		if n := len(v.lines); n > 1 && count > 1 && n != count {
			return value{}, fmt.Errorf("lists of %d and %d time series cannot be combined", count, n)
		}

		count = max(count, len(v.lines))
	}

	x := make([]float64, len(operands))
	if count == 0 {
		for i, v := range operands {
			x[i] = v.number
		}

		return value{number: f(x)}, nil
	}

	result := value{lines: make([]points, count)}
	for i := range count {
		result.lines[i] = points{}
		for at := range longest(i, operands) {
			if fillOperands(x, operands, i, at) {
				if y := f(x); !math.IsNaN(y) && !math.IsInf(y, 0) {
					result.lines[i][at] = y
				}
			}
		}
	}

	return result, nil
}

// line is the i-th series of a value, or its only series.
func (v value) line(i int) points {
	if len(v.lines) == 1 {
		return v.lines[0]
	}

	return v.lines[i]
}

func longest(i int, operands []value) points {
	var most points
	for _, v := range operands {
		if len(v.lines) > 0 && (most == nil || len(v.line(i)) > len(most)) {
			most = v.line(i)
		}
	}

	return most
}

func fillOperands(x []float64, operands []value, i int, at int64) bool {
	for k, v := range operands {
		if x[k] = v.number; len(v.lines) > 0 {
			var ok bool
			if x[k], ok = v.line(i)[at]; !ok {
				return false
			}
		}
	}

	return true
}

func (c call) eval(look func(string) (value, error), w window) (value, error) {
	arguments := make([]value, len(c.arguments))
	for i, argument := range c.arguments {
		one, err := argument.eval(look, w)
		if err != nil {
			return value{}, err
		}

		arguments[i] = one
	}

	switch c.function {
	case "SUM":
		return sum(arguments[0])
	case "IF":
		return choose(arguments)
	case "LOG":
		return logarithm(arguments[0]), nil
	}

	return fill(arguments, w)
}
