package events

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"lockstep/infra/local/cloud/events/delivery"
	"lockstep/infra/local/cloud/wire"
)

// tick sends the events of a schedule to the targets of its rule, until the rule is replaced.
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

		event := Event{
			Version: "0", ID: uuid.NewString(), Account: wire.Account, Region: wire.Region,
			Source: "aws.events", DetailType: "Scheduled Event", Resources: []string{rule.ARN()},
			Time:   time.Now().UTC().Truncate(time.Second),
			Detail: json.RawMessage("{}"),
		}

		data, err := json.Marshal(event)
		if err != nil {
			panic(fmt.Sprintf("events: event %s is not JSON: %v", event.ID, err))
		}

		for _, target := range rule.Targets {
			s.mu.Lock()
			s.startDelivery(undelivered{rule.Name, target, event, data})
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

	s.publish(DefaultBus, Event{
		Source: source, DetailType: detailType, Resources: resources, Detail: data,
	})
}

// publish completes the event, calls the subscribers and starts the deliveries. It returns the id
// of the event.
func (s *Service) publish(bus string, event Event) string {
	event.Version, event.ID = "0", uuid.NewString()
	event.Account, event.Region = wire.Account, wire.Region

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
			s.startDelivery(undelivered{rule.Name, target, event, target.input(rule, data, object)})
		}
	}
	s.mu.Unlock()

	for _, listen := range listeners {
		listen(event)
	}

	return event.ID
}

// undelivered is an event that was not delivered to a target yet.
type undelivered struct {
	Rule   string
	Target Target
	Event  Event
	Input  []byte
}

// startDelivery starts a delivery; the caller holds the lock.
func (s *Service) startDelivery(u undelivered) {
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
