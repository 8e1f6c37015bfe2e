// Package ssm stands in for Parameter Store, which has the control parameter. Like the real one it
// has no conditional writes, so writers need the lease.
package ssm

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"lockstep/infra/local/cloud/wire"
)

// Service has all parameters of the account.
type Service struct {
	emit       func(source, detailType string, resources []string, detail any)
	mu         sync.Mutex
	parameters map[string]parameter
}

type parameter struct {
	Name             string
	Type             string
	Value            string
	Version          int64
	LastModifiedDate float64
	ARN              string
	DataType         string
}

// New makes a service without parameters. It emits an event for each change, unless emit is nil.
func New(emit func(source, detailType string, resources []string, detail any)) *Service {
	return &Service{emit: emit, parameters: map[string]parameter{}}
}

// Put sets a parameter whether it exists or not.
func (s *Service) Put(name, value string) error {
	_, err := s.put(putInput{Name: name, Value: value, Type: "String", Overwrite: true})
	return err
}

// Delete deletes a parameter. It refuses an unknown name with ParameterNotFound.
func (s *Service) Delete(name string) error {
	s.mu.Lock()
	p, ok := s.parameters[name]
	delete(s.parameters, name)
	s.mu.Unlock()

	if !ok {
		return wire.Refuse("ParameterNotFound", "Parameter "+name+" not found.")
	}

	s.changed("Delete", p)

	return nil
}

// changed emits an event. It must be called without the lock, since listeners may call back.
func (s *Service) changed(operation string, p parameter) {
	if s.emit == nil {
		return
	}

	s.emit("aws.ssm", "Parameter Store Change", []string{p.ARN},
		map[string]string{"operation": operation, "name": p.Name, "type": p.Type})
}

// Get returns the value of a parameter, if it exists.
func (s *Service) Get(name string) (value string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	p, ok := s.parameters[name]

	return p.Value, ok
}

func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var (
		result any
		err    error
	)

	switch operation := wire.Operation(r); operation {
	case "GetParameter":
		result, err = s.getParameter(r)
	case "GetParameters":
		result, err = s.getParameters(r)
	case "GetParametersByPath":
		result, err = s.getParametersByPath(r)
	case "DeleteParameter":
		var in struct{ Name string }
		if err = wire.Read(r, &in); err == nil {
			result, err = struct{}{}, s.Delete(in.Name)
		}
	case "PutParameter":
		var in putInput
		if err = wire.Read(r, &in); err == nil {
			result, err = s.put(in)
		}
	default:
		err = wire.Refuse("UnknownOperationException",
			"this stand-in for SSM does not implement "+operation)
	}

	wire.Answer(w, r, result, err)
}

type putInput struct {
	Name, Value, Type string
	Overwrite         bool
}

var namePattern = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)

func (s *Service) put(in putInput) (any, error) {
	relative := strings.Contains(in.Name, "/") && !strings.HasPrefix(in.Name, "/")
	if !namePattern.MatchString(in.Name) || relative {
		return nil, wire.Refuse("ValidationException", fmt.Sprintf(
			"Parameter name %q: use letters, digits and .-_, and a leading / if it is a path", in.Name))
	}

	if in.Value == "" || len(in.Value) > 4096 {
		return nil, wire.Refuse("ValidationException",
			"Standard tier parameters support a parameter value of 1 to 4096 characters.")
	}

	p, operation, err := s.store(in)
	if err != nil {
		return nil, err
	}

	s.changed(operation, p)

	return map[string]any{"Version": p.Version, "Tier": "Standard"}, nil
}

func (s *Service) store(in putInput) (p parameter, operation string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	p, exists := s.parameters[in.Name]
	switch {
	case exists && !in.Overwrite:
		return p, "", wire.Refuse("ParameterAlreadyExists",
			"The parameter already exists. "+
				"To overwrite this value, set the overwrite option in the request to true.")
	case !exists && in.Type == "":
		return p, "", wire.Refuse("ValidationException",
			"A parameter type is required when you create a parameter.")
	case in.Type != "" && !slices.Contains([]string{"String", "StringList", "SecureString"}, in.Type):
		return p, "", wire.Refuse("UnsupportedParameterType",
			"The parameter type is not supported: "+in.Type)
	case in.Type != "":
		p.Type = in.Type
	}

	p.Name, p.Value, p.DataType = in.Name, in.Value, "text"
	p.ARN = wire.ARN("ssm", "parameter/"+strings.TrimPrefix(in.Name, "/"))
	p.LastModifiedDate = float64(time.Now().UnixMilli()) / 1000
	p.Version++
	s.parameters[in.Name] = p

	return p, map[bool]string{true: "Update", false: "Create"}[exists], nil
}

func (s *Service) getParameter(r *http.Request) (any, error) {
	var in struct{ Name string }
	if err := wire.Read(r, &in); err != nil {
		return nil, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	p, ok := s.parameters[in.Name]
	if !ok {
		return nil, wire.Refuse("ParameterNotFound", "Parameter "+in.Name+" not found.")
	}

	return map[string]any{"Parameter": p}, nil
}

func (s *Service) getParameters(r *http.Request) (any, error) {
	var in struct{ Names []string }
	if err := wire.Read(r, &in); err != nil {
		return nil, err
	}

	if len(in.Names) == 0 || len(in.Names) > 10 {
		return nil, wire.Refuse("ValidationException", "names: expected 1 to 10 of them")
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	found, invalid := []parameter{}, []string{}

	for _, name := range in.Names {
		if p, ok := s.parameters[name]; ok {
			found = append(found, p)
		} else {
			invalid = append(invalid, name)
		}
	}

	return map[string]any{"Parameters": found, "InvalidParameters": invalid}, nil
}

func (s *Service) getParametersByPath(r *http.Request) (any, error) {
	var in struct {
		Path      string
		Recursive bool
	}
	if err := wire.Read(r, &in); err != nil {
		return nil, err
	}

	prefix := strings.TrimSuffix(in.Path, "/") + "/"

	s.mu.Lock()
	defer s.mu.Unlock()

	found := []parameter{}

	for _, name := range slices.Sorted(maps.Keys(s.parameters)) {
		rest, below := strings.CutPrefix(name, prefix)
		if below && (in.Recursive || !strings.Contains(rest, "/")) {
			found = append(found, s.parameters[name])
		}
	}

	return map[string]any{"Parameters": found}, nil
}
