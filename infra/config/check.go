package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	sm "lockstep/statemachine"
)

var (
	appPattern      = regexp.MustCompile(`^[a-z][a-z0-9-]*[a-z0-9]$`)
	repoPattern     = regexp.MustCompile(`^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$`)
	providerPattern = regexp.MustCompile(
		`^arn:aws[a-z-]*:iam::\d{12}:oidc-provider/token\.actions\.githubusercontent\.com$`)
)

// maxApp leaves room for the longest names that contain it: a Lambda's,
// lockstep-<app>-checkalarms, may have 64 characters.
const maxApp = 20

// logDays are the retention periods of CloudWatch Logs up to a year, in days.
var logDays = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365}

func found(path string, value any, expected string, args ...any) error {
	if text, ok := value.(string); ok {
		value = fmt.Sprintf("%q", text)
	}

	return fmt.Errorf("%s: found %v, expected %s", path, value, fmt.Sprintf(expected, args...))
}

func (c Config) check() error {
	if len(c.App) > maxApp || !appPattern.MatchString(c.App) {
		return found("app", c.App,
			"2 to %d lower-case letters, digits and '-': resource names contain it", maxApp)
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

	for _, check := range []func() error{
		c.checkFunctions, c.checkDatabase, c.checkDomains, c.checkCookie, c.checkRamp,
		c.checkWindows, c.checkAlarms, c.checkVerdict, c.checkMetrics, c.checkDrain, c.checkProbe,
		c.checkNotifications, c.checkGitHub,
	} {
		if err := check(); err != nil {
			return err
		}
	}

	return nil
}

const byTheMinute = "at least 1m, the resolution of the metrics"

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
			"1m to 2160h (90 days): no other release begins during the hold")
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

func (c Config) checkNotifications() error {
	for i, email := range c.Notifications.Emails {
		if before, after, ok := strings.Cut(email, "@"); !ok || before == "" ||
			!strings.Contains(after, ".") {
			return found(fmt.Sprintf("notifications.emails[%d]", i), email, "an e-mail address")
		}
	}

	if t := c.Notifications.Transitions; t != "" && t != NotableTransitions && t != AllTransitions {
		return found("notifications.transitions", string(t), "%q or %q",
			NotableTransitions, AllTransitions)
	}

	return nil
}

func (c Config) checkGitHub() error {
	if c.GitHub == nil {
		return nil
	}

	if !repoPattern.MatchString(c.GitHub.Repository) {
		return found("github.repository", c.GitHub.Repository, "owner/name")
	}

	if p := c.GitHub.Provider; p != "" && !providerPattern.MatchString(p) {
		return found("github.provider", p,
			"the ARN of the account's identity provider token.actions.githubusercontent.com")
	}

	return nil
}
