package scheduler

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // for machines without zone files

	"lockstep/infra/local/cloud/events/delivery"
	"lockstep/infra/local/cloud/wire"
)

// SendTaskSuccess is the universal target that completes a task. Its input is
// {"TaskToken": string, "Output": string}.
const SendTaskSuccess = "arn:aws:scheduler:::aws-sdk:sfn:sendTaskSuccess"

const (
	enabled     = "ENABLED"
	deleteAfter = "DELETE"
)

// Schedule is a one-time schedule, in the form of the API.
type Schedule struct {
	ARN                        string `json:"Arn"`
	Name                       string
	GroupName                  string
	Description                string `json:",omitempty"`
	ScheduleExpression         string
	ScheduleExpressionTimezone string
	FlexibleTimeWindow         *Window
	Target                     *Target
	State                      string
	ActionAfterCompletion      string
	CreationDate               epoch
	LastModificationDate       epoch

	at time.Time // parsed from ScheduleExpression
}

// At is when the schedule fires.
func (s Schedule) At() time.Time { return s.at }

// Window is how late a schedule may fire.
type Window struct {
	Mode                   string
	MaximumWindowInMinutes *int `json:",omitempty"`
}

// Target is what a schedule calls, the role it uses, and the input.
type Target struct {
	ARN              string            `json:"Arn"`
	RoleARN          string            `json:"RoleArn"`
	Input            string            `json:",omitempty"`
	RetryPolicy      *delivery.Policy  `json:",omitempty"`
	DeadLetterConfig *DeadLetterConfig `json:",omitempty"`
}

// DeadLetterConfig names the queue for invocations that failed.
type DeadLetterConfig struct {
	ARN string `json:"Arn"`
}

// epoch is a time as seconds since 1970, which is how the API writes it.
type epoch struct{ time.Time }

func (e epoch) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%.3f", float64(e.UnixMilli())/1000), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (e *epoch) UnmarshalJSON(data []byte) error {
	seconds, err := strconv.ParseFloat(string(data), 64)
	e.Time = time.UnixMilli(int64(math.Round(seconds * 1000)))

	return err
}

func refuse(format string, args ...any) error {
	return wire.Refuse("ValidationException", fmt.Sprintf(format, args...))
}

func notFound(kind, name string) error {
	return &wire.Error{
		Status: http.StatusNotFound, Code: "ResourceNotFoundException",
		Message: kind + " " + name + " does not exist.",
	}
}

var (
	namePattern  = regexp.MustCompile(`^[0-9a-zA-Z\-_.]{1,64}$`)
	tokenPattern = regexp.MustCompile(`^[a-zA-Z0-9\-_]{1,64}$`)
	rolePattern  = regexp.MustCompile(`^arn:aws(-[a-z]+)?:iam::\d{12}:role/[\w+=,.@/-]+$`)
)

func checkName(member, name string) error {
	if !namePattern.MatchString(name) {
		return refuse("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: "+
			"Member must satisfy regular expression pattern: ^[0-9a-zA-Z-_.]+$ "+
			"and have length 1 to 64", name, member)
	}

	return nil
}

func oneOf(member, value string, allowed ...string) error {
	if !slices.Contains(allowed, value) {
		return refuse("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: "+
			"Member must satisfy enum value set: %v", value, member, allowed)
	}

	return nil
}

// complete fills in the defaults of AWS, checks the rest and computes when the schedule fires.
func (s *Schedule) complete() error {
	setDefault(&s.GroupName, DefaultGroup)
	setDefault(&s.ScheduleExpressionTimezone, "UTC")
	setDefault(&s.State, enabled)
	setDefault(&s.ActionAfterCompletion, "NONE")

	s.ARN = wire.ARN("scheduler", "schedule/"+s.GroupName+"/"+s.Name)
	for _, err := range []error{
		checkName("name", s.Name),
		checkName("groupName", s.GroupName),
		oneOf("state", s.State, enabled, "DISABLED"),
		oneOf("actionAfterCompletion", s.ActionAfterCompletion, "NONE", deleteAfter),
		s.FlexibleTimeWindow.check(),
		s.Target.check(),
	} {
		if err != nil {
			return err
		}
	}

	at, err := parseAt(s.ScheduleExpression, s.ScheduleExpressionTimezone)
	s.at = at

	return err
}

func setDefault(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

func parseAt(expression, zone string) (time.Time, error) {
	location, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return time.Time{}, refuse("Invalid Schedule Expression Timezone %s.", zone)
	}

	if strings.HasPrefix(expression, "rate(") || strings.HasPrefix(expression, "cron(") {
		return time.Time{}, refuse("Schedule expression %s: this stand-in has one-time schedules only; "+
			"use at(yyyy-mm-ddThh:mm:ss).", expression)
	}

	at, err := time.ParseInLocation("at(2006-01-02T15:04:05)", expression, location)
	if err != nil || len(expression) != len("at(2006-01-02T15:04:05)") {
		return time.Time{}, refuse("Invalid Schedule Expression %s.", expression)
	}

	return at, nil
}

func (w *Window) check() error {
	switch {
	case w == nil:
		return refuse("1 validation error detected: Value null at 'flexibleTimeWindow' " +
			"failed to satisfy constraint: Member must not be null")
	case w.Mode == "FLEXIBLE":
		return refuse("FlexibleTimeWindow FLEXIBLE: this stand-in fires at the second; use OFF.")
	case w.Mode == "OFF" && w.MaximumWindowInMinutes != nil:
		return refuse("MaximumWindowInMinutes must not be set when FlexibleTimeWindow is OFF.")
	}

	return oneOf("flexibleTimeWindow.mode", w.Mode, "OFF")
}

func (t *Target) check() error {
	if t == nil {
		return refuse("1 validation error detected: Value null at 'target' " +
			"failed to satisfy constraint: Member must not be null")
	}

	if !rolePattern.MatchString(t.RoleARN) {
		return refuse("Value '%s' at 'target.roleArn' is not the ARN of a role.", t.RoleARN)
	}

	if err := t.RetryPolicy.Check(); err != nil {
		return refuse("RetryPolicy: %v", err)
	}

	switch {
	case t.ARN == SendTaskSuccess:
		var in struct{ TaskToken, Output *string }

		err := json.Unmarshal([]byte(t.Input), &in)
		if err != nil || in.TaskToken == nil || in.Output == nil {
			return refuse("Invalid RequestJson provided. "+
				`Reason: %s takes {"TaskToken": string, "Output": string}.`, t.ARN)
		}
	case strings.HasPrefix(t.ARN, "arn:aws:lambda:"), strings.HasPrefix(t.ARN, "arn:aws:states:"):
		if t.Input == "" {
			t.Input = "{}"
		}

		if !json.Valid([]byte(t.Input)) {
			return refuse("Target input is not valid JSON.")
		}
	default:
		return refuse("Provided Arn %s is not a target of this stand-in: "+
			"expected a Lambda function, a state machine or %s.", t.ARN, SendTaskSuccess)
	}

	return nil
}
