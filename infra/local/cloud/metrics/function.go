package metrics

import (
	"fmt"
	"maps"
	"math"
)

// sum is SUM: a list of series is added point by point, one series is added to a number.
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

// logarithm is LOG, the natural logarithm. Values that have none give no point.
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

// choose is IF: the second argument where the condition holds, elsewhere the third or nothing. Only
// the chosen argument needs a point.
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

// fill is FILL: it adds a number, or repeats the last value, where a series has no point.
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
