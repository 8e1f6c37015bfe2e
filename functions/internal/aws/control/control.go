// Package control reads and writes the control parameter, which says which environment is active
// and which is the fallback: the single source of truth. SSM has no conditional write. So only the
// lease holder writes, and Begin checks the roles against the route.
package control

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"lockstep/functions/internal/aws/awserr"
	"lockstep/statemachine"
)

type api interface {
	GetParameter(context.Context, *ssm.GetParameterInput,
		...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
	PutParameter(context.Context, *ssm.PutParameterInput,
		...func(*ssm.Options)) (*ssm.PutParameterOutput, error)
}

// Parameter is the control parameter of one application.
type Parameter struct {
	client api
	name   string
}

// New opens the control parameter of the application.
func New(client *ssm.Client, app string) *Parameter {
	return &Parameter{client, statemachine.ControlParameter(app)}
}

// Get reads the roles. It is Corrupt where the parameter is missing or says something else.
func (p *Parameter) Get(ctx context.Context) (statemachine.Control, error) {
	out, err := p.client.GetParameter(ctx, &ssm.GetParameterInput{Name: &p.name})
	if awserr.Is(err, "ParameterNotFound") {
		return statemachine.Control{}, statemachine.Corrupt("parameter "+p.name, err)
	}

	if err != nil {
		return statemachine.Control{}, awserr.Wrap(err, "read parameter %s", p.name)
	}

	var c statemachine.Control
	if err := statemachine.DecodeStrict([]byte(aws.ToString(out.Parameter.Value)), &c); err != nil {
		return statemachine.Control{}, statemachine.Corrupt("parameter "+p.name, err)
	}

	if err := check(c); err != nil {
		return statemachine.Control{}, statemachine.Corrupt("parameter "+p.name, err)
	}

	return c, nil
}

// Put writes the roles. A repeated call changes nothing.
func (p *Parameter) Put(ctx context.Context, c statemachine.Control) error {
	if err := check(c); err != nil {
		return fmt.Errorf("write parameter %s: %w", p.name, err)
	}

	value, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("write parameter %s: %w", p.name, err)
	}

	_, err = p.client.PutParameter(ctx, &ssm.PutParameterInput{
		Name: &p.name, Value: aws.String(string(value)),
		Type: types.ParameterTypeString, Overwrite: aws.Bool(true),
	})

	return awserr.Wrap(err, "write parameter %s", p.name)
}

func check(c statemachine.Control) error {
	for _, role := range []struct {
		field string
		env   statemachine.Environment
	}{{"active", c.Active}, {"fallback", c.Fallback}} {
		if role.env != statemachine.A && role.env != statemachine.B {
			return fmt.Errorf(`%s: found %q, expected "a" or "b"`, role.field, role.env)
		}
	}

	if c.Active == c.Fallback {
		return fmt.Errorf("active, fallback: found %q for both, expected one of each", c.Active)
	}

	return nil
}
