package events

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"lockstep/infra/local/cloud/wire"
)

type ruleInput struct {
	Name, EventBusName, EventPattern, ScheduleExpression, State, Description string
}

var rulePattern = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)

// prepare checks the rule and compiles its pattern.
func (r *Rule) prepare() error {
	if !rulePattern.MatchString(r.Name) {
		return wire.Refuse("ValidationException", fmt.Sprintf(
			"Rule name %q: expected 1 to 64 letters, digits, '.', '-' or '_'", r.Name))
	}

	if r.Every > 0 && r.Pattern == "" {
		return nil
	}

	if r.Pattern == "" {
		return wire.Refuse("ValidationException",
			"Parameter EventPattern is required: this stand-in has no scheduled rules.")
	}

	if len(r.Targets) > maxTargets {
		return wire.Refuse("LimitExceededException",
			fmt.Sprintf("The requested resource exceeds the maximum number allowed: %d targets",
				maxTargets))
	}

	matches, err := compile(r.Pattern)
	if err != nil {
		return wire.Refuse("InvalidEventPatternException",
			"Event pattern is not valid. Reason: "+err.Error())
	}

	r.matches = matches

	return nil
}

func (s *Service) putRule(in ruleInput) (any, error) {
	rule := &Rule{
		Name: in.Name, Bus: busName(in.EventBusName), Pattern: in.EventPattern,
		Description: in.Description, Disabled: in.State == "DISABLED",
	}
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

// find returns a rule; the caller holds the lock.
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

	out := map[string]string{
		"Name": r.Name, "Arn": r.ARN(), "EventPattern": r.Pattern, "State": state,
		"EventBusName": r.Bus,
	}
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
