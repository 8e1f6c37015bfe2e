package scheduler

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"lockstep/infra/local/cloud/wire"
)

// ServeHTTP answers a call of the Scheduler API (REST and JSON).
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	result, err := s.route(r)
	wire.Answer(w, r, result, err)
}

func (s *Service) route(r *http.Request) (any, error) {
	name, one := strings.CutPrefix(r.URL.EscapedPath(), "/schedules/")

	name, err := url.PathUnescape(name)
	switch {
	case err != nil:
		return nil, refuse("path %s: %v", r.URL.EscapedPath(), err)
	case one && r.Method == http.MethodPost:
		return s.put(r, name, s.create)
	case one && r.Method == http.MethodPut:
		return s.put(r, name, s.update)
	case one && r.Method == http.MethodGet:
		return s.get(name, r.URL.Query().Get("groupName"))
	case one && r.Method == http.MethodDelete:
		return s.remove(name, r.URL.Query().Get("groupName"))
	case name == "/schedules" && r.Method == http.MethodGet:
		return s.list(r.URL.Query())
	}

	return nil, &wire.Error{
		Status: http.StatusNotFound, Code: "UnknownOperationException",
		Message: fmt.Sprintf("this stand-in for Scheduler does not implement %s %s",
			r.Method, r.URL.Path),
	}
}

// put reads a schedule and stores the one that decide (create or update) returns.
func (s *Service) put(r *http.Request, name string,
	decide func(e, old *entry) (*entry, error)) (any, error) {
	var in struct {
		Schedule
		ClientToken          *string
		CreationDate         any // ignored, as is the next one
		LastModificationDate any
	}
	if err := wire.Read(r, &in); err != nil {
		return nil, err
	}

	e := &entry{Schedule: in.Schedule}

	e.Name = name
	if err := e.complete(); err != nil {
		return nil, err
	}

	if in.ClientToken != nil {
		if e.token = *in.ClientToken; !tokenPattern.MatchString(e.token) {
			return nil, refuse("Value '%s' at 'clientToken' failed to satisfy constraint: "+
				"Member must satisfy regular expression pattern: ^[a-zA-Z0-9-_]+$ "+
				"and have length 1 to 64", e.token)
		}
	}

	e.CreationDate, e.LastModificationDate = epoch{time.Now()}, epoch{time.Now()}

	s.mu.Lock()
	defer s.mu.Unlock()

	if !s.groups[e.GroupName] {
		return nil, notFound("Schedule group", e.GroupName)
	}

	old := s.schedules[e.key()]

	decided, err := decide(e, old)
	if err != nil {
		return nil, err
	}

	if decided != old {
		s.set(decided)
	}

	return map[string]string{"ScheduleArn": decided.ARN}, nil
}

// create keeps the existing schedule if the same call comes again.
func (s *Service) create(e, old *entry) (*entry, error) {
	if old == nil {
		return e, nil
	}

	if e.token != "" && e.token == old.token && e.sameAs(old) {
		return old, nil
	}

	return nil, &wire.Error{
		Status: http.StatusConflict, Code: "ConflictException",
		Message: "Schedule " + e.Name + " already exists.",
	}
}

func (e *entry) sameAs(old *entry) bool {
	a, b := e.Schedule, old.Schedule
	a.CreationDate, a.LastModificationDate = b.CreationDate, b.LastModificationDate

	return reflect.DeepEqual(a, b)
}

// update replaces the whole schedule: fields that the call leaves out get their defaults.
func (s *Service) update(e, old *entry) (*entry, error) {
	if old == nil {
		return nil, notFound("Schedule", e.Name)
	}

	e.CreationDate = old.CreationDate

	return e, nil
}

func (s *Service) find(name, group string) (*entry, error) {
	setDefault(&group, DefaultGroup)

	if err := checkName("name", name); err != nil {
		return nil, err
	}

	if !s.groups[group] {
		return nil, notFound("Schedule group", group)
	}

	if e := s.schedules[key{group, name}]; e != nil {
		return e, nil
	}

	return nil, notFound("Schedule", name)
}

func (s *Service) get(name, group string) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	e, err := s.find(name, group)
	if err != nil {
		return nil, err
	}

	return e.Schedule, nil
}

func (s *Service) remove(name, group string) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	e, err := s.find(name, group)
	if err != nil {
		return nil, err
	}

	e.stop()
	delete(s.schedules, e.key())

	return nil, nil
}

type summary struct {
	ARN                  string `json:"Arn"`
	Name                 string
	GroupName            string
	State                string
	CreationDate         epoch
	LastModificationDate epoch
	Target               struct {
		ARN string `json:"Arn"`
	}
}

// list returns a page of schedules. The token names the last schedule of the page before.
func (s *Service) list(query url.Values) (any, error) {
	group, size := query.Get("ScheduleGroup"), 100
	if text := query.Get("MaxResults"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 100 {
			return nil, refuse(
				"Value '%s' at 'maxResults' failed to satisfy constraint: expected 1 to 100", text)
		}

		size = n
	}

	after, err := base64.URLEncoding.DecodeString(query.Get("NextToken"))
	if err != nil {
		return nil, refuse("Invalid NextToken.")
	}

	s.mu.Lock()
	known := group == "" || s.groups[group]
	s.mu.Unlock()

	if !known {
		return nil, notFound("Schedule group", group)
	}

	result := struct {
		Schedules []summary
		NextToken string `json:",omitempty"`
	}{Schedules: []summary{}}

	for _, one := range s.List() {
		place := one.GroupName + "\x00" + one.Name
		if place <= string(after) || group != "" && one.GroupName != group ||
			!strings.HasPrefix(one.Name, query.Get("NamePrefix")) ||
			query.Get("State") != "" && query.Get("State") != one.State {
			continue
		}

		if len(result.Schedules) == size {
			last := result.Schedules[size-1]
			token := []byte(last.GroupName + "\x00" + last.Name)
			result.NextToken = base64.URLEncoding.EncodeToString(token)

			break
		}

		item := summary{
			ARN: one.ARN, Name: one.Name, GroupName: one.GroupName, State: one.State,
			CreationDate: one.CreationDate, LastModificationDate: one.LastModificationDate,
		}
		item.Target.ARN = one.Target.ARN
		result.Schedules = append(result.Schedules, item)
	}

	return result, nil
}
