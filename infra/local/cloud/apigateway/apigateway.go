// Package apigateway stands in for the control plane of API Gateway: stages and their variables, by
// which a stage finds the aliases of all functions. Package front serves the requests of viewers.
package apigateway

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"lockstep/infra/local/cloud/wire"
)

// Service has all REST APIs of the account.
type Service struct {
	quota *rate.Limiter

	mu   sync.RWMutex
	apis map[string]map[string]Stage
}

// Stage is the present state of a stage of an API. Callers must not change Variables.
type Stage struct {
	Variables        map[string]string
	Created, Updated time.Time
}

// New makes a service without APIs. It has the quota of an AWS account: 10 control-plane requests a
// second with a burst of 40, for all operations together.
func New() *Service {
	return &Service{quota: rate.NewLimiter(10, 40), apis: map[string]map[string]Stage{}}
}

// CreateStage makes a stage, and its API if that does not exist.
func (s *Service) CreateStage(api, stage string, variables map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.apis[api] == nil {
		s.apis[api] = map[string]Stage{}
	}

	now := time.Now()
	s.apis[api][stage] = Stage{Variables: maps.Clone(variables), Created: now, Updated: now}
}

// Stage returns a stage, if it exists.
func (s *Service) Stage(api, stage string) (Stage, bool) {
	st, err := s.stage(api, stage)
	return st, err == nil
}

func (s *Service) stage(api, stage string) (Stage, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()

	return s.find(api, stage)
}

// find is stage with s.mu held.
func (s *Service) find(api, stage string) (Stage, error) {
	stages, ok := s.apis[api]
	if !ok {
		return Stage{}, notFound("Invalid API identifier specified " + wire.Account + ":" + api)
	}

	st, ok := stages[stage]
	if !ok {
		return Stage{}, notFound("Invalid stage identifier specified: " + stage)
	}

	return st, nil
}

func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation, api, stage := parse(r)
	if !s.quota.Allow() {
		wire.Answer(w, r, nil, &wire.Error{
			Status: http.StatusTooManyRequests,
			Code:   "TooManyRequestsException", Message: "Too Many Requests",
		})

		return
	}

	var (
		result any
		err    error
	)

	switch operation {
	case "GetStages":
		result, err = s.stages(api)
	case "GetStage":
		var st Stage
		if st, err = s.stage(api, stage); err == nil {
			result = described(stage, st)
		}
	case "UpdateStage":
		result, err = s.updateStage(r, api, stage)
	default:
		err = badRequest(
			"this stand-in for API Gateway does not implement " + r.Method + " " + r.URL.Path)
	}

	wire.Answer(w, r, result, err)
}

// Operation names the operation of a request.
func (s *Service) Operation(r *http.Request) string {
	operation, _, _ := parse(r)
	return operation
}

// parse reads /restapis/{api}/stages[/{stage}].
func parse(r *http.Request) (operation, api, stage string) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) < 3 || len(parts) > 4 || parts[0] != "restapis" || parts[2] != "stages" {
		return "", "", ""
	}

	switch {
	case r.Method == http.MethodGet && len(parts) == 3:
		return "GetStages", parts[1], ""
	case r.Method == http.MethodGet:
		return "GetStage", parts[1], parts[3]
	case r.Method == http.MethodPatch && len(parts) == 4:
		return "UpdateStage", parts[1], parts[3]
	}

	return "", "", ""
}

func (s *Service) stages(api string) (any, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()

	if s.apis[api] == nil {
		return nil, notFound("Invalid API identifier specified " + wire.Account + ":" + api)
	}

	list := []any{}
	for _, name := range slices.Sorted(maps.Keys(s.apis[api])) {
		list = append(list, described(name, s.apis[api][name]))
	}

	return map[string]any{"item": list}, nil
}

func described(name string, st Stage) any {
	return map[string]any{
		"stageName": name, "deploymentId": "local1", "variables": st.Variables,
		"createdDate": st.Created.Unix(), "lastUpdatedDate": st.Updated.Unix(),
	}
}

type patch struct{ Op, Path, Value string }

// updateStage applies all patches or none.
func (s *Service) updateStage(r *http.Request, api, stage string) (any, error) {
	var in struct{ PatchOperations []patch }
	if err := wire.Read(r, &in); err != nil {
		return nil, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	st, err := s.find(api, stage)
	if err != nil {
		return nil, err
	}

	variables := maps.Clone(st.Variables)
	if variables == nil {
		variables = map[string]string{}
	}

	for _, p := range in.PatchOperations {
		if err := p.apply(variables); err != nil {
			return nil, err
		}
	}

	if len(variables) > 100 {
		return nil, badRequest("Stage variables per stage: found more than 100")
	}

	st.Variables, st.Updated = variables, time.Now()
	s.apis[api][stage] = st

	return described(stage, st), nil
}

var (
	namePattern  = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)
	valuePattern = regexp.MustCompile(`^[A-Za-z0-9\-._~:/?#&=,]{1,512}$`)
)

func (p patch) apply(variables map[string]string) error {
	name, ok := strings.CutPrefix(p.Path, "/variables/")
	if !ok {
		return badRequest(fmt.Sprintf(
			"Invalid patch path %s: this stand-in implements /variables/{name}", p.Path))
	}

	switch p.Op {
	case "add", "replace":
		if !namePattern.MatchString(name) || !valuePattern.MatchString(p.Value) {
			return badRequest(fmt.Sprintf("Stage variable %q = %q: a name has letters, digits and _, "+
				"a value matches [A-Za-z0-9-._~:/?#&=,]+", name, p.Value))
		}

		variables[name] = p.Value
	case "remove":
		if _, ok := variables[name]; !ok {
			return badRequest("Invalid patch path " + p.Path + ": the variable does not exist")
		}

		delete(variables, name)
	default:
		return badRequest("Invalid patch operation " + p.Op + ": expected add, replace or remove")
	}

	return nil
}

func badRequest(message string) error { return wire.Refuse("BadRequestException", message) }

func notFound(message string) error {
	return &wire.Error{Status: http.StatusNotFound, Code: "NotFoundException", Message: message}
}
