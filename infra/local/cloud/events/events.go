// Package events stands in for Amazon EventBridge: buses, rules with real event patterns, and
// delivery. As on AWS, delivery is asynchronous and at least once.
package events

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"lockstep/infra/local/cloud/wire"
)

// DefaultBus is the bus to which the services of AWS send their events.
const DefaultBus = "default"

// Event is what a target receives.
type Event struct {
	Version    string          `json:"version"`
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       time.Time       `json:"time"`
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// Rule sends the events of a bus that match its pattern to its targets.
type Rule struct {
	Name        string
	Bus         string // "" is the default bus
	Description string
	Pattern     string // an event pattern, in JSON
	// Every is a schedule instead of a pattern, like rate(5 minutes) but with any interval.
	Every    time.Duration
	Targets  []Target
	Disabled bool

	matches pattern // Pattern, compiled
}

// ARN names the rule.
func (r *Rule) ARN() string {
	if r.Bus == DefaultBus {
		return wire.ARN("events", "rule/"+r.Name)
	}

	return wire.ARN("events", "rule/"+r.Bus+"/"+r.Name)
}

// DeadLetter is an event that could not be delivered to a target, after Calls calls.
type DeadLetter struct {
	Rule   string
	Target Target
	Event  Event
	Calls  int
	Err    error
}

// Service is the event service of one account and region.
type Service struct {
	deliver func(ctx context.Context, targetARN, roleARN string, input []byte) error
	ctx     context.Context
	cancel  context.CancelFunc
	pending sync.WaitGroup

	mu          sync.Mutex
	closed      bool
	buses       map[string]map[string]*Rule
	undelivered map[string]undelivered
	subscribers map[*subscriber]bool
	dead        []DeadLetter
}

type subscriber struct {
	bus    string
	listen func(Event)
}

// New makes a service with the default bus. deliver calls a target; after an error it is called
// again, as the target's retry policy says.
func New(deliver func(ctx context.Context, targetARN, roleARN string,
	input []byte) error) *Service {
	ctx, cancel := context.WithCancel(context.Background())

	return &Service{
		deliver: deliver, ctx: ctx, cancel: cancel,
		buses:       map[string]map[string]*Rule{DefaultBus: {}},
		undelivered: map[string]undelivered{},
		subscribers: map[*subscriber]bool{},
	}
}

// Close stops the schedules and gives up all deliveries.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.pending.Wait()
}

// CreateBus adds a bus. It keeps a bus that exists.
func (s *Service) CreateBus(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.buses[name] == nil {
		s.buses[name] = map[string]*Rule{}
	}
}

// PutRule adds a rule with its targets, or replaces it. It refuses an invalid name, pattern or
// target.
func (s *Service) PutRule(rule Rule) error {
	rule.Bus = busName(rule.Bus)
	for _, target := range rule.Targets {
		if err := target.check(); err != nil {
			return fmt.Errorf("put rule %s: %w", rule.Name, err)
		}
	}

	if err := rule.prepare(); err != nil {
		return fmt.Errorf("put rule %s: %w", rule.Name, err)
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	rules, err := s.rulesOf(rule.Bus)
	if err != nil {
		return fmt.Errorf("put rule %s: %w", rule.Name, err)
	}

	rules[rule.Name] = &rule
	if rule.Every > 0 && !s.closed {
		s.pending.Go(func() { s.tick(&rule) })
	}

	return nil
}

// Enable switches a rule of the default bus on or off.
func (s *Service) Enable(name string, enabled bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()

	rule := s.buses[DefaultBus][name]
	if rule == nil {
		return wire.Refuse("ResourceNotFoundException", "Rule "+name+" does not exist.")
	}

	rule.Disabled = !enabled

	return nil
}

// Subscribe calls listen with every event of a bus until cancel is called. listen runs in the call
// that publishes the event.
func (s *Service) Subscribe(bus string, listen func(Event)) (cancel func()) {
	entry := &subscriber{busName(bus), listen}

	s.mu.Lock()
	defer s.mu.Unlock()

	s.subscribers[entry] = true

	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()

		delete(s.subscribers, entry)
	}
}

// DeadLetters lists the events that could not be delivered.
func (s *Service) DeadLetters() []DeadLetter {
	s.mu.Lock()
	defer s.mu.Unlock()

	return slices.Clone(s.dead)
}

func (s *Service) rulesOf(bus string) (map[string]*Rule, error) {
	rules := s.buses[bus]
	if rules == nil {
		return nil, wire.Refuse("ResourceNotFoundException", "Event bus "+bus+" does not exist.")
	}

	return rules, nil
}

// sortedRules returns the rules in the order of ListRules.
func sortedRules(rules map[string]*Rule) []*Rule {
	return slices.SortedFunc(maps.Values(rules),
		func(a, b *Rule) int { return cmp.Compare(a.Name, b.Name) })
}
