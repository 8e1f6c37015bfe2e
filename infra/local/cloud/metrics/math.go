package metrics

import (
	"fmt"
	"maps"
	"math"
)

// value is a number, or one time series or more.
type value struct {
	number float64
	lines  []points
}

func (n number) eval(func(string) (value, error), window) (value, error) {
	return value{number: float64(n)}, nil
}

func (n name) eval(look func(string) (value, error), _ window) (value,
	error) {
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
			return value{}, fmt.Errorf("a list has time series only")
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
		return a / b // by zero: no data point, as combine drops what is no number
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

// combine applies a function point by point. Numbers go with every point, single series with every
// series; a point exists where all series have one and the result is a number.
func combine(f func([]float64) float64, operands ...value) (value, error) {
	count := 0
	for _, v := range operands {
		if n := len(v.lines); n > 1 && count > 1 && n != count {
			return value{}, fmt.Errorf("lists of %d and %d time series do not go together", count, n)
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

// line is the i-th series of a value, or its only one.
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

// sum adds a list of series up point by point, and one series to a number.
func sum(of value) (value, error) {
	if len(of.lines) == 0 {
		return value{}, fmt.Errorf("SUM takes time series")
	}

	total, line := 0.0, points{}

	for _, one := range of.lines {
		for at, x := range one {
			total += x
			line[at] += x
		}
	}

	if len(of.lines) == 1 {
		return value{number: total}, nil
	}

	return value{lines: []points{line}}, nil
}

// logarithm is LOG, the natural one; where there is none, there is no point.
func logarithm(of value) value {
	result := value{number: math.Log(of.number)}
	for _, line := range of.lines {
		logs := points{}

		for at, x := range line {
			if x > 0 {
				logs[at] = math.Log(x)
			}
		}

		result.lines = append(result.lines, logs)
	}

	return result
}

// choose is IF: where the condition holds, the one, elsewhere the other or nothing. Only the side
// that is chosen needs a point.
func choose(arguments []value) (value, error) {
	condition, then, otherwise := arguments[0], arguments[1], value{number: math.NaN()}
	if len(arguments) > 2 {
		otherwise = arguments[2]
	}

	pick := func(x float64) value {
		if x != 0 {
			return then
		}

		return otherwise
	}
	if len(condition.lines) == 0 {
		return pick(condition.number), nil
	}

	for _, v := range arguments {
		if len(v.lines) > 1 {
			return value{}, fmt.Errorf("IF takes numbers and single time series")
		}
	}

	line := points{}

	for at, x := range condition.lines[0] {
		side := pick(x)

		y, ok := side.number, true
		if len(side.lines) > 0 {
			y, ok = side.lines[0][at]
		}

		if ok && !math.IsNaN(y) {
			line[at] = y
		}
	}

	return value{lines: []points{line}}, nil
}

// fill puts a number, or the last value before, where a series has no point.
func fill(arguments []value, w window) (value, error) {
	if len(arguments[0].lines) == 0 || len(arguments) > 1 && len(arguments[1].lines) > 0 {
		return value{}, fmt.Errorf("FILL takes time series, and a number or %s", repeat)
	}

	result := value{}

	for _, line := range arguments[0].lines {
		filled := maps.Clone(line)
		for at := w.from; at < w.to; at += w.period {
			if _, ok := line[at]; ok {
				continue
			}

			if len(arguments) > 1 {
				filled[at] = arguments[1].number
			} else if before, ok := filled[at-w.period]; ok {
				filled[at] = before
			}
		}

		result.lines = append(result.lines, filled)
	}

	return result, nil
}
