package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	sm "lockstep/statemachine"
)

var (
	appPattern      = regexp.MustCompile(`^[a-z][a-z0-9-]*[a-z0-9]$`)
	functionPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$`)
	existingPattern = regexp.MustCompile(
		`^(arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:)?[A-Za-z0-9_-]{1,64}$`)
	routePattern    = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+$`)
	variablePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]+$`)
	domainPattern   = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$`)
	repoPattern     = regexp.MustCompile(`^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$`)
	secretPattern   = regexp.MustCompile(
		`^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:\S+$`)
	certPattern     = regexp.MustCompile(`^arn:aws[a-z-]*:acm:([a-z0-9-]+):\d{12}:certificate/\S+$`)
	providerPattern = regexp.MustCompile(
		`^arn:aws[a-z-]*:iam::\d{12}:oidc-provider/token\.actions\.githubusercontent\.com$`)
	databasePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
)

// maxApp leaves room for the longest name made of it: lockstep-<app>-checkalarms has at most 64
// characters, and <app>-lockstep-state-<account>-<region> at most 63.
const maxApp = 20

// MaxAdopted is for how many functions, each by its name and by its versions', a role's policy has
// room: 10,240 characters.
const MaxAdopted = 20

// maxVariables is how many bytes of JSON a function's environment may have.
const maxVariables = 4096

// DatabaseSecretKey is the variable that tells a function where the database's connection is.
const DatabaseSecretKey = "DATABASE_SECRET"

// reserved are the variables that Lambda sets.
var reserved = regexp.MustCompile(`^(AWS_(REGION|DEFAULT_REGION|EXECUTION_ENV|ACCESS_KEY(_ID)?|SECRET_(ACCESS_)?KEY|SE(SSION|CURITY)_TOKEN)|` +
	`AWS_LAMBDA_(FUNCTION_(NAME|MEMORY_SIZE|VERSION)|INITIALIZATION_TYPE|LOG_(GROUP|STREAM)_NAME|RUNTIME_API)|LAMBDA_(TASK_ROOT|RUNTIME_DIR))$`)

// logDays are those that CloudWatch Logs offers, up to a year.
var logDays = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365}

func found(path string, value any, expected string, args ...any) error {
	if text, ok := value.(string); ok {
		value = fmt.Sprintf("%q", text)
	}

	return fmt.Errorf("%s: found %v, expected %s", path, value, fmt.Sprintf(expected, args...))
}

func (c Config) check() error {
	if len(c.App) > maxApp || !appPattern.MatchString(c.App) {
		return found("app", c.App, "2 to %d lower-case letters, digits and '-': names of resources are "+
			"made of it", maxApp)
	}

	if c.Router != CloudFrontFunction && c.Router != LambdaEdge {
		return found("router", string(c.Router), "%q or %q", CloudFrontFunction, LambdaEdge)
	}

	if c.Trigger != OnMerge && c.Trigger != OnUpload {
		return found("trigger", string(c.Trigger), "%q or %q", OnMerge, OnUpload)
	}

	if c.Queue != sm.Supersede && c.Queue != sm.InTurn && c.Queue != sm.RefuseNew {
		return found("queue", string(c.Queue), "%q, %q or %q", sm.Supersede, sm.InTurn, sm.RefuseNew)
	}

	if c.Site.Pages != Folder && c.Site.Pages != Single {
		return found("site.pages", string(c.Site.Pages), "%q or %q", Folder, Single)
	}

	if !slices.Contains(logDays, c.LogDays) {
		return found("logDays", c.LogDays, "one of %v", logDays)
	}

	for _, check := range []func() error{c.checkFunctions, c.checkDatabase, c.checkDomains,
		c.checkCookie, c.checkRamp, c.checkWindows, c.checkAlarms, c.checkVerdict, c.checkMetrics, c.checkDrain, c.checkProbe, c.checkPeople} {
		if err := check(); err != nil {
			return err
		}
	}

	return nil
}

func (c Config) checkFunctions() error {
	names, routes, adopted := map[string]string{}, map[string]string{}, 0

	for i, f := range c.Functions {
		at := fmt.Sprintf("functions[%d]", i)
		if !functionPattern.MatchString(f.Name) {
			return found(at+".name", f.Name, "1 to 40 letters, digits, '_' or '-'")
		}

		if other := names[f.Name]; other != "" {
			return found(at+".name", f.Name, "a name that %s does not have", other)
		}

		names[f.Name] = at
		if long := c.App + "-" + f.Name; len(long) > 64 {
			return found(at+".name", f.Name, "%q to be a Lambda's name, of at most 64 characters", long)
		}

		if err := f.check(at); err != nil {
			return err
		}

		if err := f.checkEnvironment(at+".environment", c.Database != nil); err != nil {
			return err
		}

		if f.Existing != "" {
			adopted++
		}

		if adopted > MaxAdopted {
			return found(at+".existing", f.Existing, "at most %d functions that are there already: the "+
				"policy of a role has no room for more", MaxAdopted)
		}

		for j, route := range f.Routes {
			at := fmt.Sprintf("%s.routes[%d]", at, j)
			if !routePattern.MatchString(route) {
				return found(at, route, "a path like \"/orders\", without parameters: what lies below it "+
					"belongs to it")
			}

			if other := routes[route]; other != "" {
				return found(at, route, "a route that %s does not have", other)
			}

			routes[route] = at
		}
	}

	return nil
}

func (f Function) check(at string) error {
	if err := f.checkEvents(at); err != nil {
		return err
	}

	if f.Existing != "" {
		if !existingPattern.MatchString(f.Existing) {
			return found(at+".existing", f.Existing, "the name or the ARN of a Lambda, without a version")
		}

		if f.Runtime != "" || f.Handler != "" || f.Memory != 0 || f.Architecture != "" ||
			f.Environment != nil {
			return found(at, "runtime, handler, memory, architecture or environment",
				"none of them beside existing: an adopted function stays as it is")
		}

		if t := f.Timeout.Std(); t != 0 && (t < time.Second || t > longestCall) {
			return found(at+".timeout", f.Timeout, "1s to 15m, its own, where that is more than 29s")
		}

		return nil
	}

	if f.Runtime == "" {
		return found(at+".runtime", f.Runtime, "one of Lambda's, like \"provided.al2023\" or "+
			"\"nodejs22.x\"")
	}

	if f.Handler == "" {
		return found(at+".handler", f.Handler, "what Lambda calls, like \"bootstrap\" or "+
			"\"index.handler\"")
	}

	if f.Architecture != "arm64" && f.Architecture != "x86_64" {
		return found(at+".architecture", f.Architecture, "\"arm64\" or \"x86_64\"")
	}

	if f.Memory != 0 && (f.Memory < 128 || f.Memory > 10240) {
		return found(at+".memory", f.Memory, "128 to 10240 (MB)")
	}

	if t := f.Timeout.Std(); t < time.Second || t > longestCall || t > callTimeout &&
		len(f.Routes) > 0 {
		return found(at+".timeout", f.Timeout, "1s to 29s, which is how long the API waits; to 15m "+
			"without routes")
	}

	return nil
}

// checkEnvironment is of a function that gets the secret of a database beside its own variables,
// or none.
func (f Function) checkEnvironment(at string, database bool) error {
	all := map[string]string{}
	if database && f.Existing == "" {
		all[DatabaseSecretKey] = strings.Repeat("x", 150) // about as long as its ARN
	}

	for _, name := range slices.Sorted(maps.Keys(f.Environment)) {
		if !variablePattern.MatchString(name) || reserved.MatchString(name) {
			return found(at+"."+name, name, "a name of letters, digits and '_' that Lambda does not set "+
				"itself")
		}

		if all[name] != "" {
			return found(at+"."+name, f.Environment[name], "none: it names the secret of lockstep.database")
		}

		all[name] = f.Environment[name]
	}

	if text, _ := json.Marshal(all); len(text) > maxVariables {
		return found(at, fmt.Sprintf("%d bytes", len(text)),
			"at most %d, as JSON and with what names the database", maxVariables)
	}

	return nil
}

func (c Config) checkDatabase() error {
	d := c.Database
	switch {
	case d == nil:
		return nil
	case d.LockTimeout != 0 && (d.LockTimeout.Std() < 100*time.Millisecond ||
		d.LockTimeout.Std() > 500*time.Millisecond):
		return found("database.lockTimeout", d.LockTimeout,
			"100ms to 500ms, half of Postgres's deadlock_timeout")
	case d.Patience != 0 && (d.Patience.Std() < time.Second || d.Patience.Std() > 10*time.Minute):
		return found("database.patience", d.Patience, "1s to 10m")
	case d.New != nil && (d.Secret != "" || d.VPC != nil):
		return found("database", "new and secret or vpc", "either new, or secret and vpc")
	case d.New != nil && !databasePattern.MatchString(d.New.Name):
		return found("database.new.name", d.New.Name, "1 to 63 lower-case letters, digits and '_'")
	case d.New != nil && d.New.MaxCapacity != 0 &&
		(d.New.MaxCapacity < 1 || d.New.MaxCapacity > 256 || math.Mod(d.New.MaxCapacity, 0.5) != 0):
		return found("database.new.maxCapacity", d.New.MaxCapacity, "1 to 256 (ACU), in halves")
	case d.New != nil:
		return nil
	case !secretPattern.MatchString(d.Secret):
		return found("database.secret", d.Secret, "the ARN of a secret with host, port, dbname, "+
			"username and password")
	case d.VPC == nil:
		return found("database.vpc", "nothing", "id, subnets and securityGroups from which the database "+
			"can be reached")
	}

	for _, field := range []struct {
		path, prefix string
		ids          []string
	}{{"id", "vpc-", []string{d.VPC.ID}}, {"subnets", "subnet-", d.VPC.Subnets}, {"securityGroups",
		"sg-", d.VPC.SecurityGroups}} {
		if len(field.ids) == 0 {
			return found("database.vpc."+field.path, "nothing", "at least one %s...", field.prefix)
		}

		for _, id := range field.ids {
			if !strings.HasPrefix(id, field.prefix) {
				return found("database.vpc."+field.path, id, "an id like %s0123456789abcdef0", field.prefix)
			}
		}
	}

	return nil
}

func (c Config) checkDomains() error {
	for path, d := range map[string]*Domain{"domains.site": c.Domains.Site,
		"domains.api": c.Domains.API} {
		if d == nil {
			continue
		}

		if !domainPattern.MatchString(d.Name) {
			return found(path+".name", d.Name, "a host name like \"shop.example.com\"")
		}

		region := certPattern.FindStringSubmatch(d.Certificate)
		if region == nil || d == c.Domains.Site && region[1] != "us-east-1" {
			return found(path+".certificate", d.Certificate,
				"the ARN of an ACM certificate; for the site one in us-east-1")
		}
	}

	return nil
}

// checkCookie: a browser takes no cookie for a domain that the host is not in.
func (c Config) checkCookie() error {
	domain, site := c.Site.CookieDomain, c.Domains.Site
	if domain == "" {
		return nil
	}

	if site == nil || domain != site.Name && !strings.HasSuffix(site.Name, "."+domain) ||
		!domainPattern.MatchString(domain) {
		return found("site.cookieDomain", domain, "domains.site.name, or a domain that it lies in")
	}

	return nil
}

const byTheMinute = "at least 1m: metrics come by the minute"

func (c Config) checkAlarms() error {
	a := c.Alarms
	for _, percentage := range []struct {
		path  string
		value float64
	}{{"errors", a.Errors}, {"worse", a.Worse}} {
		if !(percentage.value > 0 && percentage.value <= 100) {
			return found("alarms."+percentage.path, percentage.value,
				"more than 0 and at most 100 (percent)")
		}
	}

	switch period := a.Period.Std(); {
	case period < time.Minute || period > time.Hour || period%time.Minute != 0:
		return found("alarms.period", a.Period, "whole minutes, from 1m to 1h")
	case a.Latency.Std() < time.Millisecond:
		return found("alarms.latency", a.Latency, "at least 1ms")
	case a.FunctionErrors < 1:
		return found("alarms.functionErrors", a.FunctionErrors, "at least 1")
	case a.MinimumRequests < 1:
		return found("alarms.minimumRequests", a.MinimumRequests, "at least 1")
	}

	return nil
}

func (c Config) checkDrain() error {
	if c.Drain.Quiet.Std() < time.Minute {
		return found("drain.quiet", c.Drain.Quiet, byTheMinute)
	}

	if c.Drain.AtMost < c.Drain.Quiet {
		return found("drain.atMost", c.Drain.AtMost, "at least drain.quiet, %s", c.Drain.Quiet)
	}

	if c.Drain.Then != sm.ThenContract && c.Drain.Then != sm.ThenHold {
		return found("drain.then", string(c.Drain.Then), "%q or %q", sm.ThenContract, sm.ThenHold)
	}

	if hold := c.Drain.HoldAtMost.Std(); hold < time.Minute || hold > 90*24*time.Hour {
		return found("drain.holdAtMost", c.Drain.HoldAtMost,
			"1m to 2160h (90 days): as long as it holds, no other release begins")
	}

	return nil
}

func (c Config) checkProbe() error {
	if c.Probe == nil {
		return nil
	}

	if !existingPattern.MatchString(c.Probe.Function) {
		return found("probe.function", c.Probe.Function,
			"the name or the ARN of a Lambda, without a version")
	}

	if t := c.Probe.Timeout.Std(); t < time.Second || t > 10*time.Minute {
		return found("probe.timeout", c.Probe.Timeout, "1s to 10m")
	}

	return nil
}

func (c Config) checkPeople() error {
	for i, email := range c.Notifications.Emails {
		if before, after, ok := strings.Cut(email, "@"); !ok || before == "" ||
			!strings.Contains(after, ".") {
			return found(fmt.Sprintf("notifications.emails[%d]", i), email, "an e-mail address")
		}
	}

	if t := c.Notifications.Transitions; t != "" && t != NotableTransitions && t != AllTransitions {
		return found("notifications.transitions", string(t), "%q or %q", NotableTransitions,
			AllTransitions)
	}

	if c.GitHub == nil {
		return nil
	}

	if !repoPattern.MatchString(c.GitHub.Repository) {
		return found("github.repository", c.GitHub.Repository, "owner/name")
	}

	if p := c.GitHub.Provider; p != "" && !providerPattern.MatchString(p) {
		return found("github.provider", p, "the ARN of the account's identity provider "+
			"token.actions.githubusercontent.com")
	}

	return nil
}
