package main

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"lockstep/statemachine"
)

// freezeCommand is lockstep freeze: it writes a parameter that can be written in the console too.
type freezeCommand struct {
	Reason string `help:"Why; status shows it." short:"m" required:"" placeholder:"TEXT"`
}

func (c *freezeCommand) Run(s *session) error {
	reason := statemachine.FreezeReason(c.Reason)
	if reason == "" {
		return invalid("freeze --reason: found %q, expected a reason", c.Reason)
	}

	if err := s.setFreeze(reason); err != nil {
		return err
	}

	s.say("frozen: %s; ramps are held and no release begins until lockstep unfreeze; a rollback is "+
		"possible at any time", reason)

	return nil
}

// unfreezeCommand is lockstep unfreeze.
type unfreezeCommand struct{}

func (c *unfreezeCommand) Run(s *session) error {
	if err := s.setFreeze(statemachine.Unfrozen); err != nil {
		return err
	}

	s.say("unfrozen; releases that were held go on")

	return nil
}

func (s *session) setFreeze(value string) error {
	if err := s.connect(); err != nil {
		return err
	}

	name := statemachine.FreezeParameter(s.settings.App)
	if _, err := ssm.NewFromConfig(s.config).PutParameter(s.ctx, &ssm.PutParameterInput{
		Name: &name, Value: &value, Type: types.ParameterTypeString, Overwrite: aws.Bool(true),
	}); err != nil {
		return failed(err, "write parameter %s", name)
	}

	return nil
}

// freezeReason is why ramps and new releases are held, "" without a freeze.
func (s *session) freezeReason() (string, error) {
	name := statemachine.FreezeParameter(s.settings.App)

	out, err := ssm.NewFromConfig(s.config).GetParameters(s.ctx,
		&ssm.GetParametersInput{Names: []string{name}})
	if err != nil || len(out.Parameters) == 0 {
		return "", failed(err, "read parameter %s", name)
	}

	reason := statemachine.FreezeReason(aws.ToString(out.Parameters[0].Value))

	return strings.Join(strings.Fields(reason), " "), nil
}
