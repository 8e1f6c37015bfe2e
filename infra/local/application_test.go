package main

import (
	"testing"
	"time"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

func TestApplication_IsThatOfCDK(t *testing.T) {
	c, err := application(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	if c.App != "shop" || len(c.Functions) != 2 {
		t.Errorf("found %+v", c)
	}
}

func TestHastened(t *testing.T) {
	c, err := config.Parse([]byte(`{"app":"shop","functions":[{"name":"f","runtime":"r","handler":"h","timeout":"20s"}],"ramp":{"steps":[{"percent":5,"bake":"10m"},{"percent":100,"bake":"1m"}]},
		"drain":{"quiet":"5m","atMost":"1h","then":"hold","holdAtMost":"2h"},"alarms":{"period":"25m","latency":"4s"}}`))
	if err != nil {
		t.Fatal(err)
	}

	h := hastened(c)
	if h.Ramp.Steps[0].Bake.Std() != 20*time.Second || h.Ramp.Steps[1].Bake.Std() != 2*time.Second ||
		h.Drain.Quiet.Std() != 10*time.Second ||
		h.Alarms.Period.Std() != time.Minute || h.Alarms.Latency.Std() != 4*time.Second {
		t.Errorf("found %+v", h)
	}

	if h.Drain.Then != sm.ThenHold || h.Drain.HoldAtMost.Std() != 4*time.Minute {
		t.Errorf("found the drain %+v", h.Drain)
	}

	if h.Functions[0].Timeout.Std() != longestCall || c.Functions[0].Timeout.Std() != 20*time.Second {
		t.Errorf("a function may run for %s here, %s on AWS", h.Functions[0].Timeout,
			c.Functions[0].Timeout)
	}

	if c.Ramp.Steps[0].Bake != sm.Duration(10*time.Minute) {
		t.Error("it changed what it was given")
	}

	if period := hastened(config.Config{Alarms: config.Alarms{Period: sm.Duration(time.Minute)}}).Alarms.Period.Std(); period != shortestPeriod {
		t.Errorf("an alarm looks at %s", period)
	}
}

// What cannot be stood up here, or the sample shop not be released to, is refused before anything
// is started.
func TestApplication_Fits(t *testing.T) {
	const (
		catalog, orders = `{"name":"catalog","runtime":"provided.al2023","handler":"bootstrap","routes":["/catalog"]}`,
			`{"name":"orders","runtime":"provided.al2023","handler":"bootstrap","routes":["/orders"]}`
		database = `"database":{"new":{"name":"shop"}}`
	)
	for name, c := range map[string]struct{ config, message string }{
		"as it is": {`"functions":[` + catalog + `,` + orders + `],` + database, ""},
		"one more": {`"functions":[{"name":"more","runtime":"nodejs22.x","handler":"i.h","routes":["/more"]},` + catalog + `,` + orders + `],` + database, ""},
		"one by ARN": {`"functions":[{"name":"catalog","existing":"goods","routes":["/catalog"]},` +
			orders + `],` + database, ""},
		"another name": {`"functions":[{"name":"goods","runtime":"provided.al2023","handler":"bootstrap","routes":["/catalog"]},` + orders + `],` + database, `functions: found none named "catalog", expected one: the sample shop brings its code`},
		"another route": {`"functions":[` + catalog +
			`,{"name":"orders","runtime":"provided.al2023","handler":"bootstrap","routes":["/order"]}],` +
			database, `functions[1].routes: found ["/order"], expected "/orders" among them: the sample shop's pages call it`},
		"another runtime": {`"functions":[{"name":"catalog","runtime":"nodejs22.x","handler":"i.h","routes":["/catalog"]},` + orders + `],` + database, `functions[0].runtime: found "nodejs22.x", expected "provided.al2023": the sample shop is written in Go`},
		"another router": {`"functions":[` + catalog + `,` + orders + `],"router":"lambda-edge",` +
			database, `router: found "lambda-edge", expected "cloudfront-function": the local run has no Lambda@Edge, which routes in the same way`},
		"without database": {`"functions":[` + catalog + `,` + orders + `]`,
			"database: found none, expected one: the sample shop keeps its orders there"},
	} {
		t.Run(name, func(t *testing.T) {
			parsed, err := config.Parse([]byte(`{"app":"shop",` + c.config + `}`))
			if err != nil {
				t.Fatal(err)
			}

			got := ""
			if err := fits(parsed); err != nil {
				got = err.Error()
			}

			if got != c.message {
				t.Errorf("found    %s\nexpected %s", got, c.message)
			}
		})
	}
}
