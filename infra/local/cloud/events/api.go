package events

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"lockstep/infra/local/cloud/wire"
)

const (
	maxEntries = 10
	maxBytes   = 256 << 10
	maxTargets = 5
)

// ServeHTTP answers a call of the EventBridge API (AWS JSON 1.1).
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var (
		result any
		err    error
	)

	switch operation := wire.Operation(r); operation {
	case "PutEvents":
		result, err = call(r, s.putEvents)
	case "PutRule":
		result, err = call(r, s.putRule)
	case "PutTargets":
		result, err = call(r, s.putTargets)
	case "DescribeRule":
		result, err = call(r, s.describeRule)
	case "ListRules":
		result, err = call(r, s.listRules)
	case "ListTargetsByRule":
		result, err = call(r, s.listTargets)
	default:
		err = wire.Refuse("UnknownOperationException",
			fmt.Sprintf("events: operation %q is not part of this stand-in", operation))
	}

	wire.Answer(w, r, result, err)
}

func call[In any](r *http.Request, operation func(In) (any, error)) (any, error) {
	var in In
	if err := wire.Read(r, &in); err != nil {
		return nil, err
	}

	return operation(in)
}

type entry struct {
	EventBusName, Source, DetailType, Detail *string
	Resources                                []string
	Time                                     *float64
}

type entryResult struct {
	EventID      string `json:"EventId,omitempty"`
	ErrorCode    string `json:",omitempty"`
	ErrorMessage string `json:",omitempty"`
}

func (s *Service) putEvents(in struct{ Entries []entry }) (any, error) {
	if len(in.Entries) == 0 || len(in.Entries) > maxEntries {
		return nil, wire.Refuse("ValidationException",
			fmt.Sprintf("1 validation error detected: Value at 'entries' failed to satisfy constraint: "+
				"Member must have length between 1 and %d, found %d", maxEntries, len(in.Entries)))
	}

	size := 0
	for _, e := range in.Entries {
		size += e.size()
	}

	if size > maxBytes {
		return nil, wire.Refuse("ValidationException",
			"Total size of the entries in the request is over the limit.")
	}

	failed, results := 0, make([]entryResult, len(in.Entries))
	for i, e := range in.Entries {
		if results[i] = s.putEntry(e); results[i].ErrorCode != "" {
			failed++
		}
	}

	return map[string]any{"FailedEntryCount": failed, "Entries": results}, nil
}

// size counts an entry as AWS does: the time is 14 bytes.
func (e entry) size() int {
	size := len(deref(e.Source)) + len(deref(e.DetailType)) + len(deref(e.Detail))
	if e.Time != nil {
		size += 14
	}

	for _, resource := range e.Resources {
		size += len(resource)
	}

	return size
}

func (s *Service) putEntry(e entry) entryResult {
	for _, field := range []struct {
		name  string
		value *string
	}{{"Source", e.Source}, {"DetailType", e.DetailType}, {"Detail", e.Detail}} {
		if deref(field.value) == "" {
			return entryResult{ErrorCode: "InvalidArgument",
				ErrorMessage: fmt.Sprintf("Parameter %s is not valid. Reason: %[1]s is a required argument.",
					field.name)}
		}
	}

	var detail map[string]json.RawMessage
	if err := json.Unmarshal([]byte(*e.Detail), &detail); err != nil || detail == nil {
		return entryResult{ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed."}
	}

	if strings.HasPrefix(*e.Source, "aws.") {
		return entryResult{ErrorCode: "NotAuthorizedForSourceException",
			ErrorMessage: "Not authorized for the source."}
	}

	bus := busName(deref(e.EventBusName))

	s.mu.Lock()
	_, err := s.rulesOf(bus)
	s.mu.Unlock()

	if err != nil {
		return entryResult{ErrorCode: "ResourceNotFoundException", ErrorMessage: "Event bus " + bus +
			" does not exist."}
	}

	event := Event{Source: *e.Source, DetailType: *e.DetailType, Resources: e.Resources,
		Detail: json.RawMessage(*e.Detail)}
	if e.Time != nil {
		whole, part := math.Modf(*e.Time)
		event.Time = time.Unix(int64(whole), int64(part*1e9))
	}

	return entryResult{EventID: s.publish(bus, event)}
}

type ruleInput struct {
	Name, EventBusName, EventPattern, ScheduleExpression, State, Description string
}

var rulePattern = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)

// prepare checks the rule and compiles its pattern.
func (r *Rule) prepare() error {
	if !rulePattern.MatchString(r.Name) {
		return wire.Refuse("ValidationException", fmt.Sprintf("Rule name %q: expected 1 to 64 of "+
			"letters, digits, '.', '-', '_'", r.Name))
	}

	if r.Every > 0 && r.Pattern == "" {
		return nil
	}

	if r.Pattern == "" {
		return wire.Refuse("ValidationException", "Parameter EventPattern is required: this stand-in "+
			"has no scheduled rules.")
	}

	if len(r.Targets) > maxTargets {
		return wire.Refuse("LimitExceededException",
			fmt.Sprintf("The requested resource exceeds the maximum number allowed: %d targets", maxTargets))
	}

	matches, err := compile(r.Pattern)
	if err != nil {
		return wire.Refuse("InvalidEventPatternException", "Event pattern is not valid. Reason: "+
			err.Error())
	}

	r.matches = matches

	return nil
}

func (s *Service) putRule(in ruleInput) (any, error) {
	rule := &Rule{Name: in.Name, Bus: busName(in.EventBusName), Pattern: in.EventPattern,
		Description: in.Description, Disabled: in.State == "DISABLED"}
	if err := rule.prepare(); err != nil {
		return nil, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	rules, err := s.rulesOf(rule.Bus)
	if err != nil {
		return nil, err
	}

	if old := rules[rule.Name]; old != nil {
		rule.Targets = old.Targets
	}

	rules[rule.Name] = rule

	return map[string]string{"RuleArn": rule.ARN()}, nil
}

func (s *Service) putTargets(in struct {
	Rule, EventBusName string
	Targets            []Target
}) (any, error) {
	for _, target := range in.Targets {
		if err := target.check(); err != nil {
			return nil, err
		}
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	rule, err := s.find(in.EventBusName, in.Rule)
	if err != nil {
		return nil, err
	}

	changed := *rule

	changed.Targets = slices.Clone(rule.Targets)
	for _, target := range in.Targets {
		at := slices.IndexFunc(changed.Targets, func(t Target) bool { return t.ID == target.ID })
		if at >= 0 {
			changed.Targets[at] = target
		} else {
			changed.Targets = append(changed.Targets, target)
		}
	}

	if err := changed.prepare(); err != nil {
		return nil, err
	}

	s.buses[rule.Bus][rule.Name] = &changed

	return map[string]any{"FailedEntryCount": 0, "FailedEntries": []any{}}, nil
}

// find looks a rule up; the caller holds the lock.
func (s *Service) find(bus, name string) (*Rule, error) {
	rules, err := s.rulesOf(busName(bus))
	if err != nil {
		return nil, err
	}

	if rule := rules[name]; rule != nil {
		return rule, nil
	}

	return nil, wire.Refuse("ResourceNotFoundException",
		fmt.Sprintf("Rule %s does not exist on EventBus %s.", name, busName(bus)))
}

func (r *Rule) describe() map[string]string {
	state := "ENABLED"
	if r.Disabled {
		state = "DISABLED"
	}

	out := map[string]string{"Name": r.Name, "Arn": r.ARN(), "EventPattern": r.Pattern, "State": state,
		"EventBusName": r.Bus}
	if r.Description != "" {
		out["Description"] = r.Description
	}

	return out
}

func (s *Service) describeRule(in struct{ Name, EventBusName string }) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	rule, err := s.find(in.EventBusName, in.Name)
	if err != nil {
		return nil, err
	}

	return rule.describe(), nil
}

func (s *Service) listRules(in struct{ EventBusName, NamePrefix string }) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	rules, err := s.rulesOf(busName(in.EventBusName))
	if err != nil {
		return nil, err
	}

	list := []map[string]string{}

	for _, rule := range sortedRules(rules) {
		if strings.HasPrefix(rule.Name, in.NamePrefix) {
			list = append(list, rule.describe())
		}
	}

	return map[string]any{"Rules": list}, nil
}

func (s *Service) listTargets(in struct{ Rule, EventBusName string }) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	rule, err := s.find(in.EventBusName, in.Rule)
	if err != nil {
		return nil, err
	}

	return map[string]any{"Targets": append([]Target{}, rule.Targets...)}, nil
}

// busName takes a name or an ARN; nothing is the default bus.
func busName(name string) string {
	if _, after, ok := strings.Cut(name, ":event-bus/"); ok {
		return after
	}

	if name == "" {
		return DefaultBus
	}

	return name
}

func deref(s *string) string {
	if s == nil {
		return ""
	}

	return *s
}
