package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParse_Smallest(t *testing.T) {
	c, err := Parse([]byte(`{"app":"shop"}`))
	if err != nil {
		t.Fatal(err)
	}

	if c.Router != CloudFrontFunction || c.Site.Pages != Folder || len(c.Ramp.Steps) > 0 ||
		c.Ramp.HarmBudget != 50 || c.Ramp.Within != 60*minute || c.LogDays != 30 {
		t.Errorf("the defaults are %+v", c)
	}
}

func TestParse_ReplacesDefaults(t *testing.T) {
	c, err := Parse([]byte(`{"app":"shop","ramp":{"steps":[{"percent":100,"bake":"5m"}]},"functions":[{"name":"f","runtime":"nodejs22.x","handler":"i.h","routes":["/f"]}]}`))
	if err != nil {
		t.Fatal(err)
	}

	if len(c.Ramp.Steps) != 1 || c.Ramp.MinimumRequests != 20 || c.Functions[0].Memory != 256 ||
		c.Functions[0].Timeout.Std() != 10*time.Second {
		t.Errorf("got %+v", c)
	}
}

func TestParse_Ramp(t *testing.T) {
	c, err := Parse([]byte(`{"app":"shop","ramp":{"exponential":{"from":1,"factor":10,"bake":"5m"}},
		"windows":[{"days":["mon","sat"],"from":"22:00","to":"04:00","zone":"Europe/Berlin"}]}`))
	if err != nil {
		t.Fatal(err)
	}

	s := c.Settings(Places{})
	if len(s.Ramp.Steps) != 3 || s.Ramp.Steps[1].Percent != 10 || s.Ramp.Exponential != nil ||
		s.Ramp.MinimumRequests != 20 || len(s.Windows) != 1 {
		t.Errorf("got %+v, windows %+v", s.Ramp, s.Windows)
	}
}

func TestParse_Refuses(t *testing.T) {
	function := func(fields string) string {
		return `{"app":"shop","functions":[{"name":"f",` +
			fields + `}]}`
	}

	const plain = `"runtime":"nodejs22.x","handler":"i.h"`
	for name, c := range map[string]struct{ config, message string }{
		"not JSON": {`{`, "lockstep: line 1: not JSON"},
		"unknown key": {`{"app":"shop","functons":[]}`,
			"lockstep.functons: found a key that is not known, expected one of app, functions"},
		"unknown key below": {function(`"rutes":[]`),
			"lockstep.functions[0].rutes: found a key that is not known, expected one of name, existing"},
		"wrong kind": {function(`"routes":"/x"`),
			`lockstep.functions[0].routes: found "/x", expected a list`},
		"queue": {`{"app":"shop","queue":"wait"}`,
			`lockstep.queue: found "wait", expected "supersede", "queue" or "refuse"`},
		"fraction": {function(`"memory":1.5`),
			"lockstep.functions[0].memory: found 1.5, expected a whole number"},
		"duration": {`{"app":"shop","drain":{"quiet":"soon"}}`,
			`lockstep.drain.quiet: found "soon", expected a duration like`},
		"two on one route": {`{"app":"shop","functions":[{"name":"f",` + plain +
			`,"routes":["/x"]},{"name":"g",` + plain + `,"routes":["/x"]}]}`,
			`lockstep.functions[1].routes[0]: found "/x", expected a route that functions[0].routes[0] does not have`},
		"two of one name": {`{"app":"shop","functions":[{"name":"f",` + plain + `},{"name":"f",` +
			plain + `}]}`, "lockstep.functions[1].name"},
		"route with parameter": {function(plain + `,"routes":["/x/{id}"]`),
			`lockstep.functions[0].routes[0]: found "/x/{id}", expected a path`},
		"architecture": {function(plain + `,"architecture":"arm"`),
			"lockstep.functions[0].architecture"},
		"no app":       {`{}`, `lockstep.app: found "", expected 2 to 20`},
		"app too long": {`{"app":"an-application-of-21c"}`, "lockstep.app: found"},
		"name too long": {`{"app":"shop","functions":[{"name":"` + strings.Repeat("f", 41) + `",` +
			plain + `}]}`,
			"lockstep.functions[0].name: found"},
		"adopted and configured": {function(`"existing":"f","memory":512`),
			"lockstep.functions[0]: found"},
		"adopted version": {function(`"existing":"arn:aws:lambda:us-east-1:123456789012:function:f:3"`),
			"lockstep.functions[0].existing: found"},
		"memory": {function(plain + `,"memory":64`),
			"lockstep.functions[0].memory: found 64, expected 128 to 10240"},
		"timeout": {function(plain + `,"routes":["/f"],"timeout":"1m"`),
			"lockstep.functions[0].timeout: found 1m0s, expected 1s to 29s"},
		"timeout without routes": {function(plain + `,"timeout":"16m"`),
			"lockstep.functions[0].timeout: found 16m0s, expected"},
		"timeout of another's": {`{"app":"shop","functions":[{"name":"f","existing":"f","timeout":"16m"}]}`, "lockstep.functions[0].timeout: found 16m0s, expected 1s to 15m"},
		"reserved variable": {function(plain + `,"environment":{"AWS_REGION":"x"}`),
			"lockstep.functions[0].environment.AWS_REGION"},
		"Lambda's own variable": {function(plain + `,"environment":{"LAMBDA_TASK_ROOT":"x"}`),
			"lockstep.functions[0].environment.LAMBDA_TASK_ROOT"},
		"too much environment": {function(plain + `,"environment":{"AB":"` + strings.Repeat("x", 4089) +
			`"}`), `lockstep.functions[0].environment: found "4098 bytes", expected at most 4096`},
		"the database's variable": {`{"app":"shop","database":{"new":{"name":"shop"}},"functions":[{"name":"f",` + plain + `,"environment":{"DATABASE_SECRET":"mine"}}]}`,
			`lockstep.functions[0].environment.DATABASE_SECRET: found "mine", expected none`},
		"route that API Gateway refuses": {function(plain + `,"routes":["/~me"]`),
			`lockstep.functions[0].routes[0]: found "/~me", expected a path`},
		"a third of an ACU": {`{"app":"shop","database":{"new":{"name":"shop","maxCapacity":1.3}}}`,
			"lockstep.database.new.maxCapacity: found 1.3, expected 1 to 256 (ACU), in halves"},
		"too many adopted": {`{"app":"shop","functions":[` + strings.Join(existing(21), ",") + `]}`,
			`lockstep.functions[20].existing: found "existing-20", expected at most 20`},
		"queue twice": {function(plain +
			`,"events":[{"queue":"arn:aws:sqs:eu-west-1:123456789012:q"},{"queue":"arn:aws:sqs:eu-west-1:123456789012:q"}]`), `lockstep.functions[0].events[1]: found "arn:aws:sqs:eu-west-1:123456789012:q", expected one that events[0]`},
		"table": {function(plain +
			`,"events":[{"stream":"arn:aws:dynamodb:eu-west-1:123456789012:table/goods"}]`), "lockstep.functions[0].events[0].stream: found"},
		"batch of stream": {function(plain +
			`,"events":[{"stream":"arn:aws:kinesis:eu-west-1:123456789012:stream/s","batch":10001}]`), "lockstep.functions[0].events[0].batch: found 10001, expected 1 to 10000"},
		"window without days":                 {`{"app":"shop","windows":[{"days":[],"from":"09:00","to":"17:00","zone":"UTC"}]}`, "lockstep.windows[0].days: found"},
		"window that never opens":             {`{"app":"shop","windows":[{"days":["mon"],"from":"09:00","to":"09:00","zone":"UTC"}]}`, `lockstep.windows[0].to: found "09:00", as from, expected another time`},
		"window at no time":                   {`{"app":"shop","windows":[{"days":["mon"],"from":"9am","to":"17:00","zone":"UTC"}]}`, `lockstep.windows[0].from: found "9am", expected a time like`},
		"window on no day":                    {`{"app":"shop","windows":[{"days":["mon","Tuesday"],"from":"09:00","to":"17:00","zone":"UTC"}]}`, `lockstep.windows[0].days[1]: found "Tuesday", expected one of sun, mon`},
		"window in the zone of whoever reads": {`{"app":"shop","windows":[{"days":["mon"],"from":"09:00","to":"17:00","zone":"Local"}]}`, `lockstep.windows[0].zone: found "Local"`},
		"steps and linear":                    {`{"app":"shop","ramp":{"steps":[{"percent":100,"bake":"5m"}],"linear":{"by":10,"every":"5m"}}}`, "lockstep.ramp: found more than one of steps, linear and exponential"},
		"linear by nothing": {`{"app":"shop","ramp":{"linear":{"every":"5m"}}}`,
			"lockstep.ramp.linear.by: found 0, expected more than 0 and at most 100"},
		"linear in too many steps": {`{"app":"shop","ramp":{"linear":{"by":0.5,"every":"5m"}}}`,
			"lockstep.ramp.linear.by: found a ramp of more than 100 steps"},
		"linear without a bake": {`{"app":"shop","ramp":{"linear":{"by":50}}}`,
			"lockstep.ramp.linear.every: found 0s, expected at least 1m"},
		"exponential from nothing": {`{"app":"shop","ramp":{"exponential":{"factor":3,"bake":"5m"}}}`,
			"lockstep.ramp.exponential.from: found 0"},
		"exponential that stands": {`{"app":"shop","ramp":{"exponential":{"from":1,"factor":1,"bake":"5m"}}}`, "lockstep.ramp.exponential.factor: found 1, expected more than 1"},
		"ramp beyond a history":   {`{"app":"shop","ramp":{"linear":{"by":1,"every":"5m"},"maxExtensions":20}}`, `lockstep.ramp: found "100 steps with 20 extensions each", expected at most 700 bakes`},
		"window in no zone":       {`{"app":"shop","windows":[{"days":["mon"],"from":"09:00","to":"17:00","zone":"Mars"}]}`, "lockstep.windows[0].zone"},
		"ramp that falls":         {`{"app":"shop","ramp":{"steps":[{"percent":50,"bake":"5m"},{"percent":20,"bake":"5m"},{"percent":100,"bake":"5m"}]}}`, "lockstep.ramp.steps[1].percent: found 20, expected at least 50"},
		"ramp that ends early": {`{"app":"shop","ramp":{"steps":[{"percent":50,"bake":"5m"}]}}`,
			"lockstep.ramp.steps[0].percent: found 50, expected 100"},
		"budget and steps":     {`{"app":"shop","ramp":{"harmBudget":50,"steps":[{"percent":100,"bake":"5m"}]}}`, "lockstep.ramp.harmBudget: found 50, expected none together with steps"},
		"steps within an hour": {`{"app":"shop","ramp":{"within":"1h","steps":[{"percent":100,"bake":"5m"}]}}`, "lockstep.ramp.within: found 1h0m0s, expected none together with steps"},
		"a budget of nobody": {`{"app":"shop","ramp":{"harmBudget":0.5}}`,
			"lockstep.ramp.harmBudget: found 0.5, expected 1 to"},
		"a negative budget": {`{"app":"shop","ramp":{"harmBudget":-1}}`,
			"lockstep.ramp.harmBudget: found -1"},
		"a budget in no time": {`{"app":"shop","ramp":{"harmBudget":50,"within":"5m"}}`,
			"lockstep.ramp.within: found 5m0s, expected 15m to 168h"},
		"a share that the route cannot say": {`{"app":"shop","ramp":{"steps":[{"percent":0.004,"bake":"5m"},{"percent":100,"bake":"5m"}]}}`, "lockstep.ramp.steps[0].percent: found 0.004, expected 0.01 to 100"},
		"approval of what is there":         {`{"app":"shop","ramp":{"steps":[{"percent":50,"bake":"5m"},{"percent":50,"bake":"5m","approval":true},{"percent":100,"bake":"5m"}]}}`, "lockstep.ramp.steps[1].approval: found true, expected approval only for a step that grows"},
		"step without a bake": {`{"app":"shop","ramp":{"steps":[{"percent":100}]}}`,
			"lockstep.ramp.steps[0].bake: found 0s"},
		"ramp without steps": {`{"app":"shop","ramp":{"steps":[]}}`,
			"lockstep.ramp.steps[0].percent: found 0, expected 100"},
		"percent of the ramp": {`{"app":"shop","ramp":{"steps":[{"percent":101,"bake":"5m"}]}}`,
			"lockstep.ramp.steps[0].percent: found 101"},
		"percent of errors": {`{"app":"shop","alarms":{"errors":150}}`,
			"lockstep.alarms.errors: found 150, expected more than 0 and at most 100"},
		"alarm period": {`{"app":"shop","alarms":{"period":"90s"}}`,
			"lockstep.alarms.period: found 1m30s"},
		"no minimum": {`{"app":"shop","ramp":{"minimumRequests":0}}`,
			"lockstep.ramp.minimumRequests: found 0"},
		"lock timeout above a deadlock's": {`{"app":"shop","database":{"new":{"name":"shop"},"lockTimeout":"2s"}}`, "lockstep.database.lockTimeout: found 2s"},
		"no lock timeout":                 {`{"app":"shop","database":{"new":{"name":"shop"},"lockTimeout":"1ms"}}`, "lockstep.database.lockTimeout: found 1ms"},
		"patience of a Lambda's life":     {`{"app":"shop","database":{"new":{"name":"shop"},"patience":"15m"}}`, "lockstep.database.patience: found 15m"},
		"database without VPC":            {`{"app":"shop","database":{"secret":"arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf"}}`, "lockstep.database.vpc: found"},
		"database without subnets":        {`{"app":"shop","database":{"secret":"arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf","vpc":{"id":"vpc-1"}}}`, "lockstep.database.vpc.subnets: found"},
		"database both ways":              {`{"app":"shop","database":{"new":{"name":"shop"},"secret":"x"}}`, "lockstep.database: found"},
		"certificate elsewhere":           {`{"app":"shop","domains":{"site":{"name":"a.example.com","certificate":"arn:aws:acm:eu-west-1:123456789012:certificate/x"}}}`, "lockstep.domains.site.certificate"},
		"drain": {`{"app":"shop","drain":{"quiet":"2h","atMost":"1h"}}`,
			"lockstep.drain.atMost: found 1h0m0s, expected at least drain.quiet"},
		"drain to nowhere": {`{"app":"shop","drain":{"then":"wait"}}`,
			`lockstep.drain.then: found "wait", expected "contract" or "hold"`},
		"drain that never ends": {`{"app":"shop","drain":{"then":"hold","holdAtMost":"9999h"}}`,
			"lockstep.drain.holdAtMost: found 9999h0m0s, expected 1m to 2160h"},
		"probe of nothing": {`{"app":"shop","probe":{"timeout":"5s"}}`,
			`lockstep.probe.function: found "", expected the name or the ARN of a Lambda`},
		"probe for ever": {`{"app":"shop","probe":{"function":"check","timeout":"1h"}}`,
			"lockstep.probe.timeout: found 1h0m0s, expected 1s to 10m"},
		"transitions": {`{"app":"shop","notifications":{"transitions":"some"}}`,
			"lockstep.notifications.transitions"},
		"e-mail": {`{"app":"shop","notifications":{"emails":["me"]}}`,
			"lockstep.notifications.emails[0]"},
		"repository": {`{"app":"shop","github":{"repository":"shop"}}`,
			"lockstep.github.repository"},
		"router": {`{"app":"shop","router":"nginx"}`,
			`lockstep.router: found "nginx", expected "cloudfront-function" or "lambda-edge"`},
		"cookie of another domain": {`{"app":"shop","site":{"cookieDomain":"example.org"},"domains":{"site":{"name":"a.example.com","certificate":"arn:aws:acm:us-east-1:123456789012:certificate/x"}}}`,
			`lockstep.site.cookieDomain: found "example.org", expected domains.site.name`},
		"cookie of a public domain": {`{"app":"shop","site":{"cookieDomain":"com"},"domains":{"site":{"name":"a.example.com","certificate":"arn:aws:acm:us-east-1:123456789012:certificate/x"}}}`, "lockstep.site.cookieDomain"},
		"cookie without a domain": {`{"app":"shop","site":{"cookieDomain":"example.com"}}`,
			"lockstep.site.cookieDomain"},
		"log days": {`{"app":"shop","logDays":2}`,
			"lockstep.logDays: found 2, expected one of"},
		"event of no kind": {function(plain + `,"events":[{}]`),
			"lockstep.functions[0].events[0]: found [], expected one of schedule, pattern, queue, topic and stream"},
		"event of two kinds": {function(plain +
			`,"events":[{"schedule":"rate(1 day)","queue":"q"}]`), "lockstep.functions[0].events[0]: found [schedule queue], expected one of"},
		"schedule": {function(plain + `,"events":[{"schedule":"every day"}]`),
			`lockstep.functions[0].events[0].schedule: found "every day", expected`},
		"queue by name": {function(plain + `,"events":[{"queue":"orders"}]`),
			`lockstep.functions[0].events[0].queue: found "orders", expected the ARN of an SQS queue`},
		"batch": {function(plain +
			`,"events":[{"queue":"arn:aws:sqs:eu-west-1:123456789012:q","batch":11}]`), "lockstep.functions[0].events[0].batch: found 11, expected 1 to 10"},
		"batch without queue": {function(plain +
			`,"events":[{"schedule":"rate(1 day)","batch":1}]`), "lockstep.functions[0].events[0].batch: found 1"},
		"FIFO topic": {function(plain +
			`,"events":[{"topic":"arn:aws:sns:eu-west-1:123456789012:t.fifo"}]`), "lockstep.functions[0].events[0].topic: found"},
		"empty pattern": {function(plain + `,"events":[{"pattern":{}}]`),
			"lockstep.functions[0].events[0].pattern: found"},
		"pattern's field": {function(plain + `,"events":[{"pattern":{"sauce":["x"]}}]`),
			"lockstep.functions[0].events[0].pattern.sauce: found"},
		"pattern's leaf": {function(plain +
			`,"events":[{"pattern":{"detail":{"state":"x"}}}]`), `lockstep.functions[0].events[0].pattern.detail.state: found "x", expected a list of values, like ["x"]`},
		"bus of a schedule": {function(plain +
			`,"events":[{"schedule":"rate(1 day)","bus":"b"}]`), "lockstep.functions[0].events[0].bus: found"},
		"unknown key of an event": {function(plain + `,"events":[{"cron":"x"}]`),
			"lockstep.functions[0].events[0].cron: found a key that is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.config))
			if err == nil || !strings.HasPrefix(err.Error(), c.message) {
				t.Errorf("got  %v\nwant %s...", err, c.message)
			}
		})
	}
}

func existing(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf(`{"name":"f%d","existing":"existing-%d"}`, i, i))
	}

	return list
}

// What another Region or account has is not found by its name: better now than half way through a
// deployment.
func TestConfig_In(t *testing.T) {
	event := func(source string) string {
		return `{"app":"shop","functions":[{"name":"f","existing":"f","events":[` + source + `]}]}`
	}
	secret := func(arn string) string {
		return `{"app":"shop","database":{"secret":"` + arn +
			`","vpc":{"id":"vpc-1","subnets":["subnet-1"],"securityGroups":["sg-1"]}}}`
	}
	provider := func(account string) string {
		return `{"app":"shop","github":{"repository":"a/b","provider":"arn:aws:iam::` + account +
			`:oidc-provider/token.actions.githubusercontent.com"}}`
	}

	site := func(account string) string {
		return `{"app":"shop","domains":{"site":{"name":"example.com","certificate":"arn:aws:acm:us-east-1:` + account + `:certificate/x"}}}`
	}
	for source, message := range map[string]string{
		`{"app":"shop","functions":[{"name":"f","existing":"arn:aws:lambda:eu-west-1:123456789012:function:f"},{"name":"g","existing":"g"}]}`: "",
		`{"app":"shop","functions":[{"name":"f","existing":"arn:aws:lambda:us-east-1:123456789012:function:f"}]}`:                             "lockstep.functions[0].existing: found",
		`{"app":"shop","functions":[{"name":"f","existing":"arn:aws:lambda:eu-west-1:210987654321:function:f"}]}`:                             "lockstep.functions[0].existing: found",
		`{"app":"shop","domains":{"api":{"name":"api.example.com","certificate":"arn:aws:acm:us-east-1:123456789012:certificate/x"}}}`:        "lockstep.domains.api.certificate: found",
		`{"app":"shop","probe":{"function":"arn:aws:lambda:us-east-1:123456789012:function:check"}}`:                                          "lockstep.probe.function: found",
		event(`{"schedule":"rate(1 day)"},{"queue":"arn:aws:sqs:eu-west-1:210987654321:q"}`):                                                  "",
		event(`{"schedule":"rate(1 day)"},{"queue":"arn:aws:sqs:us-east-1:123456789012:q"}`):                                                  `lockstep.functions[0].events[1].queue: found "arn:aws:sqs:us-east-1:123456789012:q", expected one in eu-west-1, for`,
		event(`{"stream":"arn:aws:kinesis:us-east-1:123456789012:stream/s"}`):                                                                 "lockstep.functions[0].events[0].stream: found",
		event(`{"topic":"arn:aws:sns:us-east-1:123456789012:t"}`):                                                                             "lockstep.functions[0].events[0].topic: found",
		secret("arn:aws:secretsmanager:eu-west-1:123456789012:secret:db"):                                                                     "",
		secret("arn:aws:secretsmanager:us-east-1:123456789012:secret:db"):                                                                     "lockstep.database.secret: found",
		secret("arn:aws:secretsmanager:eu-west-1:210987654321:secret:db"):                                                                     `lockstep.database.secret: found "arn:aws:secretsmanager:eu-west-1:210987654321:secret:db", expected one in eu-west-1 of the account 123456789012`,
		provider("123456789012"): "",
		provider("210987654321"): "lockstep.github.provider: found",
		site("123456789012"):     "",
		site("210987654321"):     "lockstep.domains.site.certificate: found",
	} {
		c, err := Parse([]byte(source))
		if err != nil {
			t.Fatal(err)
		}

		err = c.In("123456789012", "eu-west-1")
		if (err == nil) != (message == "") || err != nil && !strings.HasPrefix(err.Error(), message) {
			t.Errorf("%s: %v", source, err)
		}
	}
}

// What Lambda lets a team set, like the wrapper of a web application, is let through.
func TestParse_Variables(t *testing.T) {
	if _, err := Parse([]byte(`{"app":"shop","functions":[{"name":"f","runtime":"nodejs22.x","handler":"i.h","environment":{"AWS_LAMBDA_EXEC_WRAPPER":"/opt/bootstrap"}}]}`)); err != nil {
		t.Error(err)
	}
}

// A source is bound once, wherever it stands in the list: another place must not be another
// resource.
func TestSource_ID(t *testing.T) {
	queue := Source{Queue: "arn:aws:sqs:eu-west-1:123456789012:q"}
	if queue.ID(0) != queue.ID(1) || queue.ID(0) == (Source{Topic: "arn:aws:sns:eu-west-1:123456789012:t"}).ID(0) {
		t.Errorf("found %s and %s", queue.ID(0), queue.ID(1))
	}

	if rule := (Source{Schedule: "rate(1 day)"}); rule.ID(0) == rule.ID(1) {
		t.Errorf("found %s for two rules", rule.ID(0))
	}
}

func TestLoad_CDK(t *testing.T) {
	c, err := Load("../../cdk.json")
	if err != nil {
		t.Fatal(err)
	}

	if c.App != "shop" || len(c.Functions) != 2 {
		t.Errorf("got %+v", c)
	}
}

func TestLoad_Refuses(t *testing.T) {
	for content, says := range map[string]string{
		"{\n  \"context\": {\n    \"lockstep\": {\"app\": \"shop\",}\n  }\n}":  "cdk.json: line 3: not JSON",
		`{"context": {"lockstep": {"app": "shop", "app": "shoe"}}}`:            "cdk.json: context.lockstep.app: found it twice, expected it once",
		`{"context": {"lockstep": {"functions": [{}, {"name": 1,"name":2}]}}}`: "cdk.json: context.lockstep.functions[1].name: found it twice",
		`{"context": {}}`: "cdk.json: context.lockstep: found nothing",
		`{"context": `:    "cdk.json: line 1: not JSON",
	} {
		file := filepath.Join(t.TempDir(), "cdk.json")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}

		if _, err := Load(file); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, expected %q", content, err, says)
		}
	}
}

// How long a call may be in flight is the application's longest: a schema must not be taken back
// under it.
func TestSettings_LongestCall(t *testing.T) {
	for source, want := range map[string]time.Duration{
		`{"app":"shop"}`: 29 * time.Second,
		`{"app":"shop","functions":[{"name":"f","existing":"f","timeout":"5m"},{"name":"g","existing":"g"}]}`:         5 * time.Minute,
		`{"app":"shop","functions":[{"name":"f","runtime":"provided.al2023","handler":"bootstrap","timeout":"15m"}]}`: 15 * time.Minute,
	} {
		c, err := Parse([]byte(source))
		if err != nil {
			t.Fatal(err)
		}

		if got := c.Settings(Places{}).CallTimeout.Std(); got != want {
			t.Errorf("%s: a call may take %s, expected %s", source, got, want)
		}
	}
}
