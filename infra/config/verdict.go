package config

import (
	"fmt"
	"regexp"
	"strings"

	sm "lockstep/statemachine"
)

const maxMetrics = 20

var (
	metricPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9 _-]{0,39}$`)
	statPattern   = regexp.MustCompile(
		`^(Sum|SampleCount|TC\(((\d+(\.\d+)?):(\d+(\.\d+)?)?|:\d+(\.\d+)?)\))$`)
)

func (c Config) checkVerdict() error {
	switch v := c.Verdict; {
	case !(v.FalseAlarms > 0 && v.FalseAlarms <= 10):
		return found("verdict.falseAlarms", v.FalseAlarms,
			"more than 0 and at most 10 (percent of good releases)")
	case !(v.Errors >= 0 && v.Errors < 100):
		return found("verdict.errors", v.Errors, "0 to 100 (percentage points)")
	case !(v.Slow >= 0 && v.Slow <= 1000):
		return found("verdict.slow", v.Slow, "0 to 1000 (percent); 0 does not compare latency")
	}

	return nil
}

func (c Config) checkMetrics() error {
	if len(c.Metrics) > maxMetrics {
		return found("metrics", fmt.Sprint(len(c.Metrics)),
			"at most %d: every metric delays the verdict on the others", maxMetrics)
	}

	names := map[string]bool{"errors": true, "latency": true}

	for i, m := range c.Metrics {
		at := fmt.Sprintf("metrics[%d]", i)

		switch {
		case !metricPattern.MatchString(m.Name):
			return found(at+".name", m.Name, "1 to 40 letters, digits, ' ', '_' or '-', like \"orders\"")
		case names[m.Name]:
			return found(at+".name", m.Name, "a name that no other metric has")
		case m.Better != sm.Lower && m.Better != sm.Higher:
			return found(at+".better", string(m.Better), "%q or %q", sm.Lower, sm.Higher)
		case !(m.Tolerance > 0 && m.Tolerance < 100):
			return found(at+".tolerance", m.Tolerance, "more than 0 and less than 100 (percent)")
		}

		names[m.Name] = true
		if err := checkSeries(at+".events", m.Events); err != nil {
			return err
		}

		if m.Of.Namespace == "" && m.Of.Metric == "" && m.Of.Dimensions == nil {
			continue // compared with the API's calls
		}

		if err := checkSeries(at+".of", m.Of); err != nil {
			return err
		}
	}

	return nil
}

func checkSeries(at string, s sm.Series) error {
	switch {
	case s.Namespace == "" || len(s.Namespace) > 255:
		return found(at+".namespace", s.Namespace, "the namespace of a metric in CloudWatch")
	case s.Metric == "" || len(s.Metric) > 255:
		return found(at+".metric", s.Metric, "the name of a metric in CloudWatch")
	case !statPattern.MatchString(s.Stat):
		return found(at+".stat", s.Stat,
			"a count: \"Sum\", \"SampleCount\" or, for values above 500, \"TC(500:)\"")
	}

	for _, value := range s.Dimensions {
		if strings.Contains(value, "{environment}") || strings.Contains(value, "{stage}") {
			return nil
		}
	}

	return found(at+".dimensions", s.Dimensions,
		"a value with {environment} (a or b) or {stage} (api-a or api-b) in it")
}
