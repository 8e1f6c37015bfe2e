package main

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"lockstep/statemachine"
)

// doctorCommand is lockstep doctor.
type doctorCommand struct {
	JSON bool `help:"Print JSON." name:"json"`
}

// Run prints the drift, and what repair would do about it.
func (c *doctorCommand) Run(s *session, _ statemachine.SignalKind) error {
	return s.diagnose(statemachine.RepairInput{DryRun: true}, c.JSON)
}

// repairCommand is lockstep repair.
type repairCommand struct {
	DryRun bool `help:"Only print what would be done." name:"dry-run"`
	JSON   bool `help:"Print JSON." name:"json"`
}

// Run makes everything match the ledger.
func (c *repairCommand) Run(s *session, _ statemachine.SignalKind) error {
	return s.diagnose(statemachine.RepairInput{DryRun: c.DryRun}, c.JSON)
}

// diagnose calls the Lambda Repair, which has the permissions that this takes, and prints its
// findings.
func (s *session) diagnose(in statemachine.RepairInput, asJSON bool) error {
	if err := s.connect(); err != nil {
		return err
	}

	input, err := json.Marshal(in)
	if err != nil {
		return err
	}

	name := statemachine.LambdaName(s.settings.App, statemachine.Repair)

	out, err := lambda.NewFromConfig(s.config, func(o *lambda.Options) { o.RetryMaxAttempts = 1 }).
		Invoke(s.ctx, &lambda.InvokeInput{FunctionName: &name, Payload: input})
	if err != nil {
		return failed(err, "call the Lambda %s", name)
	}

	var failure struct {
		Message string `json:"errorMessage"`
	}
	if out.FunctionError != nil {
		_ = json.Unmarshal(out.Payload, &failure)
		return fmt.Errorf("%s: %s", name, failure.Message)
	}

	var d statemachine.Diagnosis
	if err := json.Unmarshal(out.Payload, &d); err != nil {
		return fmt.Errorf("cannot parse the answer of the Lambda %s: %w", name, err)
	}

	left := 0

	for _, f := range d.Findings {
		if !f.Repaired {
			left++
		}
	}

	if asJSON {
		data, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			return err
		}

		s.say("%s", data)
	} else {
		s.sayDiagnosis(d)
	}

	if left > 0 {
		return &driftError{left}
	}

	return nil
}

func (s *session) sayDiagnosis(d statemachine.Diagnosis) {
	if d.UnderWay != "" {
		s.say("%s is under way; what it changes is not checked until it has ended.", d.UnderWay)
	} else if len(d.Findings) == 0 {
		s.say("No drift: everything matches the ledger.")
	}

	for _, f := range d.Findings {
		s.say("- %s", f.Text)

		switch {
		case f.Repaired:
			s.say("  done: %s", f.Repair)
		case f.Failed != "":
			s.say("  tried: %s; failed: %s", f.Repair, f.Failed)
		case f.Repair == "":
			s.say("  repair cannot do this")
		default:
			s.say("  repair would: %s", f.Repair)
		}
	}
}

// driftError is the drift that is left.
type driftError struct{ findings int }

func (e *driftError) Error() string {
	return fmt.Sprintf("drift is left, findings: %d", e.findings)
}
