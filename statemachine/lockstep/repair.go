package main

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"lockstep/statemachine"
)

// exitInconsistent is that of doctor and repair where something is not, or could not be made, as
// it should be.
const exitInconsistent = 5

// doctorCommand is lockstep doctor.
type doctorCommand struct {
	JSON bool `help:"Print JSON." name:"json"`
}

// Run says what is inconsistent, and what repair would do about it.
func (c *doctorCommand) Run(s *session, _ statemachine.SignalKind) error {
	return s.diagnose(statemachine.RepairInput{DryRun: true}, c.JSON)
}

// repairCommand is lockstep repair.
type repairCommand struct {
	DryRun bool `help:"Only say what would be done." name:"dry-run"`
	JSON   bool `help:"Print JSON." name:"json"`
}

// Run makes it what the ledger says.
func (c *repairCommand) Run(s *session, _ statemachine.SignalKind) error {
	return s.diagnose(statemachine.RepairInput{DryRun: c.DryRun}, c.JSON)
}

// diagnose asks the Lambda, which alone may look everywhere, and prints what it found.
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
		return fmt.Errorf("call %s: %w", name, err)
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
		return fmt.Errorf("read the answer of %s: %w", name, err)
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
		return &inconsistent{left}
	}

	return nil
}

func (s *session) sayDiagnosis(d statemachine.Diagnosis) {
	if d.UnderWay != "" {
		s.say("%s is under way: what it changes can't be judged until it has ended.", d.UnderWay)
	} else if len(d.Findings) == 0 {
		s.say("All is as the ledger says.")
	}

	for _, f := range d.Findings {
		s.say("- %s", f.Text)

		switch {
		case f.Repaired:
			s.say("  done: %s", f.Repair)
		case f.Failed != "":
			s.say("  tried: %s; in vain: %s", f.Repair, f.Failed)
		default:
			s.say("  repair would: %s", f.Repair)
		}
	}
}

// inconsistent is what is left to be mended.
type inconsistent struct{ findings int }

func (e *inconsistent) Error() string {
	return fmt.Sprintf("%d not as it should be", e.findings)
}
