package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lockstep/infra/config"
	"lockstep/infra/local/shop"
	sm "lockstep/statemachine"
)

// minute is how long a minute of cdk.json takes here. Bakes, drains and other waits are that much
// shorter.
const minute = 2 * time.Second

// shortestPeriod is the shortest period of an alarm here: CloudWatch has no shorter one, and the
// viewers make too few calls in less.
const shortestPeriod = 10 * time.Second

// longestCall is how long a function may run here: as long as a route takes to converge. A rollback
// waits for both.
const longestCall = 3 * time.Second

// application reads cdk.json, and refuses an application that the sample shop cannot be released
// to.
func application(ctx context.Context) (config.Config, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return config.Config{}, err
	}

	file := filepath.Join(root, "cdk.json")
	if here, err := os.Getwd(); err == nil {
		if short, err := filepath.Rel(here, file); err == nil {
			file = short
		}
	}

	c, err := config.Load(file)
	if err != nil {
		return c, err
	}

	if err := fits(c); err != nil {
		return c, fmt.Errorf("%s: lockstep.%w", file, err)
	}

	return c, nil
}

// fits refuses a configuration that cannot be run here. The error names its path.
func fits(c config.Config) error {
	if c.Router != config.CloudFrontFunction {
		return fmt.Errorf("router: found %q, expected %q: the local run has no Lambda@Edge, which "+
			"routes in the same way", c.Router, config.CloudFrontFunction)
	}

	return shop.Fits(c)
}

// hastened scales the configuration's waits to the local run's time. Latencies stay as they are.
func hastened(c config.Config) config.Config {
	// A comparison of latency is switched off: in bakes of seconds on one machine it would mostly
	// measure the start of processes.
	c.Verdict.Slow = 0

	c.Ramp.Steps = slices.Clone(c.Ramp.Steps)
	for i := range c.Ramp.Steps {
		c.Ramp.Steps[i].Bake = hasten(c.Ramp.Steps[i].Bake)
	}

	if c.Ramp.HarmBudget > 0 {
		c.Ramp.Within = hasten(c.Ramp.Within)
	}

	c.Functions = slices.Clone(c.Functions)
	for i := range c.Functions {
		c.Functions[i].Timeout = min(c.Functions[i].Timeout, sm.Duration(longestCall))
	}

	c.Drain.Quiet, c.Drain.AtMost = hasten(c.Drain.Quiet), hasten(c.Drain.AtMost)
	c.Drain.HoldAtMost = hasten(c.Drain.HoldAtMost)

	period := max(hasten(c.Alarms.Period).Std(), shortestPeriod)
	if period > 30*time.Second { // CloudWatch takes whole minutes
		period = (period + time.Minute - 1).Truncate(time.Minute)
	}

	c.Alarms.Period = sm.Duration(period.Truncate(shortestPeriod))

	return c
}

// hasten scales a wait, rounded to seconds, the resolution of the metrics here.
func hasten(d sm.Duration) sm.Duration {
	return sm.Duration(max(time.Second, (d.Std() / (time.Minute / minute)).Round(time.Second)))
}

// summaryOf describes the application in a line, and names the event sources that have no stand-in:
// all except patterns.
func summaryOf(c config.Config) string {
	var functions, ramp, silent []string

	note := ""

	for _, f := range c.Functions {
		text := f.Name
		if len(f.Routes) > 0 {
			text += " (" + strings.Join(f.Routes, ", ") + ")"
		}

		functions = append(functions, text)
	}

	for _, s := range c.Ramp.Steps {
		ramp = append(ramp, fmt.Sprintf("%g %% for %s", s.Percent, s.Bake))
	}

	if c.Ramp.HarmBudget > 0 {
		ramp = []string{fmt.Sprintf("by a harm budget of %g within %s", c.Ramp.HarmBudget, c.Ramp.Within)}
	}

	for i, f := range c.Functions {
		for j, source := range f.Events {
			if source.Pattern == nil {
				silent = append(silent, fmt.Sprintf("lockstep.functions[%d].events[%d]", i, j))
			}
		}
	}

	if silent != nil {
		note = "; here nothing comes from " + strings.Join(silent, ", ")
	}

	return fmt.Sprintf("cdk.json: %s: functions %s; ramp %s, where a minute takes %s here%s", c.App,
		strings.Join(functions, ", "), strings.Join(ramp, ", "), minute, note)
}
