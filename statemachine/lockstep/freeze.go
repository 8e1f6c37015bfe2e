package main

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"lockstep/statemachine"
)

// freezeCommand is lockstep freeze: it writes the parameter that anyone may write in the console.
type freezeCommand struct {
	Reason string `help:"Why: whoever is held by it reads this." short:"m" required:""`
}

func (c *freezeCommand) Run(s *session) error {
	reason := statemachine.FreezeReason(c.Reason)
	if reason == "" {
		return invalid("freeze --reason: found %q, expected why", c.Reason)
	}

	if err := s.setFreeze(reason); err != nil {
		return err
	}

	s.say("frozen: %s; no release grows or begins until lockstep unfreeze, but any can be rolled back",
		reason)

	return nil
}

// unfreezeCommand is lockstep unfreeze.
type unfreezeCommand struct{}

func (c *unfreezeCommand) Run(s *session) error {
	if err := s.setFreeze(statemachine.Unfrozen); err != nil {
		return err
	}

	s.say("unfrozen; what waited goes on")

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
		return fmt.Errorf("write parameter %s: %w", name, err)
	}

	return nil
}

// frozen is why nothing grows or begins, "" where it may.
func (s *session) frozen() (string, error) {
	name := statemachine.FreezeParameter(s.settings.App)

	out, err := ssm.NewFromConfig(s.config).GetParameters(s.ctx,
		&ssm.GetParametersInput{Names: []string{name}})
	if err != nil || len(out.Parameters) == 0 {
		if err != nil {
			err = fmt.Errorf("read parameter %s: %w", name, err)
		}

		return "", err
	}

	return strings.Join(
		strings.Fields(statemachine.FreezeReason(aws.ToString(out.Parameters[0].Value))), " "), nil
}
