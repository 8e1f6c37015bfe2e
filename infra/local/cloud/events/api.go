package events

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
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
			fmt.Sprintf("this stand-in for EventBridge does not implement %s", operation))
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

// size is the size of an entry as AWS counts it: a time has 14 bytes.
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
			return entryResult{ErrorCode: "InvalidArgument", ErrorMessage: fmt.Sprintf(
				"Parameter %s is not valid. Reason: %[1]s is a required argument.", field.name)}
		}
	}

	var detail map[string]json.RawMessage
	if err := json.Unmarshal([]byte(*e.Detail), &detail); err != nil || detail == nil {
		return entryResult{ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed."}
	}

	if strings.HasPrefix(*e.Source, "aws.") {
		return entryResult{
			ErrorCode: "NotAuthorizedForSourceException", ErrorMessage: "Not authorized for the source.",
		}
	}

	bus := busName(deref(e.EventBusName))

	s.mu.Lock()
	_, err := s.rulesOf(bus)
	s.mu.Unlock()

	if err != nil {
		return entryResult{
			ErrorCode:    "ResourceNotFoundException",
			ErrorMessage: "Event bus " + bus + " does not exist.",
		}
	}

	event := Event{
		Source: *e.Source, DetailType: *e.DetailType, Resources: e.Resources,
		Detail: json.RawMessage(*e.Detail),
	}

	if e.Time != nil {
		whole, part := math.Modf(*e.Time)
		event.Time = time.Unix(int64(whole), int64(part*1e9))
	}

	return entryResult{EventID: s.publish(bus, event)}
}

// busName is the name in a name or an ARN. The default is the default bus.
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
