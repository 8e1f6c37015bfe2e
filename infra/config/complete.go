package config

import (
	"cmp"
	"time"

	sm "lockstep/statemachine"
)

// complete fills in the defaults that depend on other keys.
func (c Config) complete() (_ Config, err error) {
	if err := c.checkShorthand(); err != nil {
		return c, err
	}

	if c.Ramp, err = c.Ramp.Expanded(); err != nil {
		return c, err
	}

	c.completeRamp()

	for i := range c.Functions {
		c.Functions[i].complete()
	}

	for i := range c.Metrics {
		completeMetric(&c.Metrics[i])
	}

	if c.Probe != nil && c.Probe.Timeout == 0 {
		c.Probe.Timeout = minute
	}

	if c.GitHub != nil && c.GitHub.Branch == "" {
		c.GitHub.Branch = "main"
	}

	if c.Database != nil && c.Database.New != nil && c.Database.New.MaxCapacity == 0 {
		c.Database.New.MaxCapacity = 4
	}

	return c, nil
}

// completeRamp gives a ramp without steps the default harm budget. It is not among the defaults,
// because a configuration has either steps or a budget.
func (c *Config) completeRamp() {
	if c.Ramp.Steps == nil && c.Ramp.HarmBudget == 0 {
		c.Ramp.HarmBudget = harmBudget
	}

	if c.Ramp.HarmBudget != 0 && c.Ramp.Within == 0 {
		c.Ramp.Within = 60 * minute
	}
}

// complete leaves an adopted function as it is, apart from its events.
func (f *Function) complete() {
	for i := range f.Events {
		switch s := &f.Events[i]; {
		case s.Batch != 0:
		case s.Queue != "":
			s.Batch = 10
		case s.Stream != "":
			s.Batch = 100
		}
	}

	if f.Existing != "" {
		return
	}

	f.Memory = cmp.Or(f.Memory, 256)
	f.Architecture = cmp.Or(f.Architecture, "arm64")
	f.Timeout = cmp.Or(f.Timeout, sm.Duration(10*time.Second))
}

func completeMetric(m *sm.Metric) {
	m.Tolerance = cmp.Or(m.Tolerance, 10)
	m.Events.Stat = cmp.Or(m.Events.Stat, "Sum")

	if m.Of.Metric != "" {
		m.Of.Stat = cmp.Or(m.Of.Stat, "Sum")
	}
}
