package states

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"lockstep/infra/local/cloud/wire"
	"lockstep/statemachine/asl"
)

func (s *Service) listExecutions(in request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	m, err := s.machine(in.StateMachineARN)
	if err != nil {
		return nil, err
	}

	statuses := []asl.Status{
		"", asl.Running, asl.Succeeded, asl.Failed, asl.TimedOut, asl.Aborted, "PENDING_REDRIVE",
	}
	if !slices.Contains(statuses, in.StatusFilter) {
		return nil, wire.Refuse("ValidationException",
			fmt.Sprintf("statusFilter: found %q, expected one of %v", in.StatusFilter, statuses[1:]))
	}

	// The token names the execution at which the next page starts. Executions are listed newest first,
	// so those that start in between do not shift the pages.
	before, size, err := in.page("executions", len(s.executions))
	if err != nil {
		return nil, err
	}

	list, next := []executionItem{}, ""

	for i := min(before, len(s.executions)) - 1; i >= 0; i-- {
		e := s.executions[i]
		if e.machine != m || in.StatusFilter != "" && e.result.Status != in.StatusFilter {
			continue
		}

		if len(list) == size {
			next = pageToken("executions", i+1)
			break
		}

		list = append(list, e.item())
	}

	return page{"executions": list}.then(next), nil
}

func (s *Service) getExecutionHistory(in request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	e, err := s.execution(in.ExecutionARN)
	if err != nil {
		return nil, err
	}

	// The token holds the id of the first event of the next page.
	kind, first, step := "events", 1, 1
	if in.ReverseOrder {
		kind, first, step = "reverse", len(e.events), -1
	}

	id, size, err := in.page(kind, first)
	if err != nil {
		return nil, err
	}

	type item struct {
		asl.Event
		Timestamp epoch `json:"timestamp"`
	}

	list, next := []item{}, ""
	for ; id >= 1 && id <= len(e.events); id += step {
		if len(list) == size {
			next = pageToken(kind, id)
			break
		}

		event := e.events[id-1]
		if in.IncludeData != nil && !*in.IncludeData {
			event = event.WithoutData()
		}

		list = append(list, item{event, epoch{event.Timestamp}})
	}

	return page{"events": list}.then(next), nil
}

type page map[string]any

func (p page) then(token string) page {
	if token != "" {
		p["nextToken"] = token
	}

	return p
}

// page returns where the requested page begins, and its size.
func (in request) page(kind string, first int) (position, size int, err error) {
	if in.MaxResults < 0 || in.MaxResults > 1000 {
		return 0, 0, wire.Refuse("ValidationException",
			fmt.Sprintf("maxResults: found %d, expected 0 to 1000", in.MaxResults))
	}

	size = in.MaxResults
	if size == 0 {
		size = 100
	}

	if in.NextToken == "" {
		return first, size, nil
	}

	text, err := base64.RawURLEncoding.DecodeString(in.NextToken)

	number, ok := strings.CutPrefix(string(text), kind+" ")
	if err == nil && ok {
		position, err = strconv.Atoi(number)
	}

	if err != nil || !ok {
		return 0, 0, wire.Refuse("InvalidToken", fmt.Sprintf("Invalid Token: '%s'", in.NextToken))
	}

	return position, size, nil
}

func pageToken(kind string, position int) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d", kind, position))
}
