package config

import (
	"strings"
	"testing"

	sm "lockstep/statemachine"
)

func TestParse_Metrics(t *testing.T) {
	c, err := Parse([]byte(`{"app":"shop","metrics":[{"name":"orders","better":"higher","events":{"namespace":"Shop","metric":"Orders","dimensions":{"Stage":"{stage}"}}},
		{"name":"waits","better":"lower","tolerance":50,"events":{"namespace":"Shop","metric":"Wait","stat":"TC(500:)","dimensions":{"E":"shop-{environment}"}},
		 "of":{"namespace":"Shop","metric":"Wait","stat":"SampleCount","dimensions":{"E":"shop-{environment}"}}}]}`))
	if err != nil {
		t.Fatal(err)
	}

	s := c.Settings(Places{})
	if m := s.Metrics[0]; m.Events.Stat != "Sum" || m.Tolerance != 10 ||
		m.Events.In(sm.B).Dimensions["Stage"] != "api-b" {
		t.Errorf("got %+v", m)
	}

	if m := s.Metrics[1]; m.Tolerance != 50 || m.Of.In(sm.A).Dimensions["E"] != "shop-a" ||
		s.Verdict.FalseAlarms != 0.5 {
		t.Errorf("got %+v", m)
	}
}

func TestParse_RefusesMetrics(t *testing.T) {
	metric := func(fields string) string {
		return `{"app":"shop","metrics":[{"name":"orders",` +
			fields + `}]}`
	}

	const events = `"better":"higher","events":{"namespace":"Shop","metric":"Orders","dimensions":{"Stage":"{stage}"}}`
	for name, c := range map[string]struct{ config, message string }{
		"false alarms": {`{"app":"shop","verdict":{"falseAlarms":0}}`,
			"lockstep.verdict.falseAlarms: found 0, expected more than 0"},
		"tolerance of errors": {`{"app":"shop","verdict":{"errors":-1}}`,
			"lockstep.verdict.errors: found -1"},
		"metric of a known name": {`{"app":"shop","metrics":[{"name":"latency",` + events + `}]}`,
			`lockstep.metrics[0].name: found "latency", expected a name that no other`},
		"metric with a percent": {`{"app":"shop","metrics":[{"name":"50%s",` + events + `}]}`,
			`lockstep.metrics[0].name: found "50%s"`},
		"neither way": {metric(`"events":{"namespace":"Shop","metric":"Orders"}`),
			`lockstep.metrics[0].better: found "", expected "lower" or "higher"`},
		"no metric": {metric(`"better":"lower"`),
			`lockstep.metrics[0].events.namespace: found ""`},
		"an average":               {metric(`"better":"lower","events":{"namespace":"Shop","metric":"Wait","stat":"Average"}`), `lockstep.metrics[0].events.stat: found "Average", expected a count: `},
		"both environments in one": {metric(`"better":"lower","events":{"namespace":"Shop","metric":"Wait","dimensions":{"App":"shop"}}`), `lockstep.metrics[0].events.dimensions: found map[App:shop], expected a value with`},
		"half a denominator": {metric(events + `,"of":{"metric":"Views"}`),
			`lockstep.metrics[0].of.namespace: found ""`},
		"tolerance of a metric": {metric(events + `,"tolerance":100`),
			"lockstep.metrics[0].tolerance: found 100"},
		"unknown key of a series": {metric(`"events":{"name":"Orders"}`),
			"lockstep.metrics[0].events.name: found a key that is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.config))
			if err == nil || !strings.HasPrefix(err.Error(), c.message) {
				t.Errorf("got  %v\nwant %s...", err, c.message)
			}
		})
	}
}
