package states

import (
	"net/http"
	"strconv"
	"time"

	"lockstep/infra/local/cloud/wire"
	"lockstep/statemachine/asl"
)

// request has the fields of every operation's input.
type request struct {
	StateMachineARN string     `json:"stateMachineArn"`
	ExecutionARN    string     `json:"executionArn"`
	Name            string     `json:"name"`
	Input           string     `json:"input"`
	StatusFilter    asl.Status `json:"statusFilter"`
	MaxResults      int        `json:"maxResults"`
	NextToken       string     `json:"nextToken"`
	ReverseOrder    bool       `json:"reverseOrder"`
	IncludeData     *bool      `json:"includeExecutionData"`
	TaskToken       string     `json:"taskToken"`
	Output          string     `json:"output"`
	Error           string     `json:"error"`
	Cause           string     `json:"cause"`
}

// ServeHTTP serves the API in AWS JSON 1.0.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operations := map[string]func(request) (any, error){
		"ListStateMachines":    s.listStateMachines,
		"DescribeStateMachine": s.describeStateMachine,
		"StartExecution":       s.startExecution,
		"DescribeExecution":    s.describeExecution,
		"ListExecutions":       s.listExecutions,
		"GetExecutionHistory":  s.getExecutionHistory,
		"StopExecution":        s.stopExecution,
		"SendTaskSuccess": func(in request) (any, error) {
			return nil, s.SendTaskSuccess(in.TaskToken, in.Output)
		},
		"SendTaskFailure": func(in request) (any, error) {
			return nil, s.SendTaskFailure(in.TaskToken, in.Error, in.Cause)
		},
		"SendTaskHeartbeat": func(in request) (any, error) {
			return nil, s.SendTaskHeartbeat(in.TaskToken)
		},
	}
	name := wire.Operation(r)

	operation, ok := operations[name]
	if !ok {
		wire.Answer(w, r, nil, wire.Refuse("UnknownOperationException",
			"this stand-in for Step Functions does not implement "+name))

		return
	}

	var in request
	if err := wire.Read(r, &in); err != nil {
		wire.Answer(w, r, nil, err)
		return
	}

	out, err := operation(in)
	wire.Answer(w, r, out, err)
}

// epoch is a time as the JSON protocol writes it: seconds since 1970, with milliseconds.
type epoch struct{ time.Time }

// MarshalJSON writes seconds.
func (e epoch) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(e.UnixMilli())/1000, 'f', 3, 64), nil
}

func orNil(t time.Time) *epoch {
	if t.IsZero() {
		return nil
	}

	return &epoch{t}
}

// role is the role of every state machine.
var role = "arn:aws:iam::" + wire.Account + ":role/states"

type machineItem struct {
	ARN        string `json:"stateMachineArn"`
	Name       string `json:"name"`
	Type       string `json:"type"`
	Created    epoch  `json:"creationDate"`
	Status     string `json:"status,omitempty"`
	Definition string `json:"definition,omitempty"`
	Role       string `json:"roleArn,omitempty"`
}

func (s *Service) listStateMachines(request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	list := []machineItem{}

	for _, m := range s.machines {
		item := machineItem{ARN: m.arn, Name: m.name, Type: "STANDARD", Created: epoch{m.created}}
		list = append(list, item)
	}

	return map[string]any{"stateMachines": list}, nil
}

func (s *Service) describeStateMachine(in request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	m, err := s.machine(in.StateMachineARN)
	if err != nil {
		return nil, err
	}

	return machineItem{m.arn, m.name, "STANDARD", epoch{m.created}, "ACTIVE", m.definition, role}, nil
}

func (s *Service) startExecution(in request) (any, error) {
	e, err := s.start(in.StateMachineARN, in.Name, in.Input)
	if err != nil {
		return nil, err
	}

	return map[string]any{"executionArn": e.arn, "startDate": epoch{e.started}}, nil
}

func (s *Service) stopExecution(in request) (any, error) {
	if err := checkFailure(in.Error, in.Cause); err != nil {
		return nil, err
	}

	stopped, err := s.Stop(in.ExecutionARN, in.Error, in.Cause)
	if err != nil {
		return nil, err
	}

	return map[string]any{"stopDate": epoch{stopped}}, nil
}

type executionItem struct {
	ARN           string     `json:"executionArn"`
	StateMachine  string     `json:"stateMachineArn"`
	Name          string     `json:"name"`
	Status        asl.Status `json:"status"`
	Started       epoch      `json:"startDate"`
	Stopped       *epoch     `json:"stopDate,omitempty"`
	Input         string     `json:"input,omitempty"`
	InputDetails  *Included  `json:"inputDetails,omitempty"`
	Output        string     `json:"output,omitempty"`
	OutputDetails *Included  `json:"outputDetails,omitempty"`
	Error         string     `json:"error,omitempty"`
	Cause         string     `json:"cause,omitempty"`
	RedriveCount  int        `json:"redriveCount"`
}

func (e *execution) item() executionItem {
	return executionItem{
		ARN: e.arn, StateMachine: e.machine.arn, Name: e.name, Status: e.result.Status,
		Started: epoch{e.started}, Stopped: orNil(e.stopped),
	}
}

func (s *Service) describeExecution(in request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	e, err := s.execution(in.ExecutionARN)
	if err != nil {
		return nil, err
	}

	item := e.item()
	item.Input, item.InputDetails = e.input, &Included{true}

	item.Error, item.Cause = e.result.Error, e.result.Cause
	if item.Output = string(e.result.Output); item.Output != "" {
		item.OutputDetails = &Included{true}
	}

	return item, nil
}
