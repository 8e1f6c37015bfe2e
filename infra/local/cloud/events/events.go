// Package events stands in for Amazon EventBridge: buses, rules with real patterns, and delivery
// that is asynchronous and at least once, so that whoever listens meets here what it will meet on
// AWS.
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

	"github.com/google/uuid"

	"lockstep/infra/local/cloud/events/delivery"
	"lockstep/infra/local/cloud/wire"
)

// DefaultBus is where the services of AWS put their events.
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
	Pattern     string
	// instead of a pattern: a schedule like rate(5 minutes), here to the second
	Every    time.Duration
	Targets  []Target
	Disabled bool

	matches pattern // compiled of Pattern
}

// ARN names the rule.
func (r *Rule) ARN() string {
	if r.Bus == DefaultBus {
		return wire.ARN("events", "rule/"+r.Name)
	}

	return wire.ARN("events", "rule/"+r.Bus+"/"+r.Name)
}

// DeadLetter is an event that a target did not take.
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

// New makes a service with the default bus. deliver calls a target; an error makes it be called
// again.
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

// Close gives up every delivery that is still being tried.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.pending.Wait()
}

// CreateBus adds a bus; one that exists stays as it is.
func (s *Service) CreateBus(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.buses[name] == nil {
		s.buses[name] = map[string]*Rule{}
	}
}

// PutRule adds a rule with its targets, or replaces it.
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

// tick sends the event of a schedule to the targets of its rule until the rule is replaced.
func (s *Service) tick(rule *Rule) {
	ticker := time.NewTicker(rule.Every)
	defer ticker.Stop()

	for {
		select {
		case <-s.ctx.Done():
			return
		case <-ticker.C:
		}

		s.mu.Lock()
		current := !s.closed && s.buses[rule.Bus][rule.Name] == rule
		s.mu.Unlock()

		if !current {
			return
		}

		event := Event{Version: "0", ID: uuid.NewString(), Account: wire.Account, Region: wire.Region,
			Time:   time.Now().UTC().Truncate(time.Second),
			Source: "aws.events", DetailType: "Scheduled Event", Resources: []string{rule.ARN()}, Detail: json.RawMessage("{}")}

		data, err := json.Marshal(event)
		if err != nil {
			panic(fmt.Sprintf("events: event %s is not JSON: %v", event.ID, err))
		}

		for _, target := range rule.Targets {
			s.mu.Lock()
			s.bring(undelivered{rule.Name, target, event, data})
			s.mu.Unlock()
		}
	}
}

// Emit puts an event of an AWS service on the default bus.
func (s *Service) Emit(source, detailType string, resources []string, detail any) {
	data, err := json.Marshal(detail)
	if err != nil {
		panic(fmt.Sprintf("events: detail of %s %q is not JSON: %v", source, detailType, err))
	}

	s.publish(DefaultBus, Event{Source: source, DetailType: detailType, Resources: resources,
		Detail: data})
}

// Subscribe lets listen see every event of a bus, in the call that publishes it, until cancel is
// called.
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

// DeadLetters lists what could not be delivered.
func (s *Service) DeadLetters() []DeadLetter {
	s.mu.Lock()
	defer s.mu.Unlock()

	return slices.Clone(s.dead)
}

// publish completes the event, shows it to who listens and starts its deliveries; it returns the
// event's id.
func (s *Service) publish(bus string, event Event) string {
	event.Version, event.ID, event.Account, event.Region = "0", uuid.NewString(), wire.Account, wire.Region
	if event.Time.IsZero() {
		event.Time = time.Now()
	}

	event.Time = event.Time.UTC().Truncate(time.Second)
	if event.Resources == nil {
		event.Resources = []string{}
	}

	data, err := json.Marshal(event)
	if err != nil {
		panic(fmt.Sprintf("events: event %s is not JSON: %v", event.ID, err))
	}

	tree, _ := decode(data)
	object, _ := tree.(map[string]any)

	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return event.ID
	}

	var listeners []func(Event)

	for entry := range s.subscribers {
		if entry.bus == bus {
			listeners = append(listeners, entry.listen)
		}
	}

	for _, rule := range s.buses[bus] {
		if rule.matches == nil || rule.Disabled || !rule.matches(object) {
			continue
		}

		for _, target := range rule.Targets {
			s.bring(undelivered{rule.Name, target, event, target.input(rule, data, object)})
		}
	}
	s.mu.Unlock()

	for _, listen := range listeners {
		listen(event)
	}

	return event.ID
}

// undelivered is an event that a target has not taken yet.
type undelivered struct {
	Rule   string
	Target Target
	Event  Event
	Input  []byte
}

// bring starts a delivery; the caller holds the lock.
func (s *Service) bring(u undelivered) {
	id := uuid.NewString()
	s.undelivered[id] = u
	s.pending.Go(func() { s.send(id, u) })
}

func (s *Service) send(id string, u undelivered) {
	calls, err := delivery.Do(s.ctx, u.Target.RetryPolicy, func(ctx context.Context) error {
		return s.deliver(ctx, u.Target.ARN, u.Target.RoleARN, u.Input)
	})
	s.mu.Lock()
	defer s.mu.Unlock()

	delete(s.undelivered, id)

	if err != nil && s.ctx.Err() == nil {
		s.dead = append(s.dead, DeadLetter{u.Rule, u.Target, u.Event, calls, err})
	}
}

func (s *Service) rulesOf(bus string) (map[string]*Rule, error) {
	rules := s.buses[bus]
	if rules == nil {
		return nil, wire.Refuse("ResourceNotFoundException", "Event bus "+bus+" does not exist.")
	}

	return rules, nil
}

// sortedRules is in the order in which ListRules answers.
func sortedRules(rules map[string]*Rule) []*Rule {
	return slices.SortedFunc(maps.Values(rules),
		func(a, b *Rule) int { return cmp.Compare(a.Name, b.Name) })
}
