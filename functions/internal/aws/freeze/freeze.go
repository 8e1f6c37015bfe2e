// Package freeze reads the switch that holds every ramp: an SSM parameter whose value is the
// reason. People write it; Lockstep never does.
package freeze

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"lockstep/functions/internal/aws/awserr"
	"lockstep/statemachine"
)

type api interface {
	GetParameter(context.Context, *ssm.GetParameterInput,
		...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
}

// Parameter is the switch of one application.
type Parameter struct {
	client api
	name   string
}

// New opens the switch.
func New(client *ssm.Client, app string) *Parameter {
	return &Parameter{client, statemachine.FreezeParameter(app)}
}

// Reason is why no weight may grow; "" if weights may. A missing parameter freezes nothing.
func (p *Parameter) Reason(ctx context.Context) (string, error) {
	out, err := p.client.GetParameter(ctx, &ssm.GetParameterInput{Name: &p.name})

	var missing *types.ParameterNotFound
	if errors.As(err, &missing) {
		return "", nil
	}

	if err != nil {
		return "", awserr.Wrap(err, "read parameter %s", p.name)
	}

	return statemachine.FreezeReason(aws.ToString(out.Parameter.Value)), nil
}
