// Package stage sets the variables of an API stage. One call decides, for every function at once,
// which environment's aliases the stage calls. That makes a rollback fast.
package stage

import (
	"cmp"
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"

	"lockstep/functions/internal/aws/awserr"
	"lockstep/statemachine"
)

type api interface {
	GetStage(context.Context, *apigateway.GetStageInput,
		...func(*apigateway.Options)) (*apigateway.GetStageOutput, error)
	UpdateStage(context.Context, *apigateway.UpdateStageInput,
		...func(*apigateway.Options)) (*apigateway.UpdateStageOutput, error)
}

// Stages are the two stages of one REST API.
type Stages struct {
	client api
	id     string
}

// New opens the stages of the REST API with this id.
func New(client *apigateway.Client, api string) *Stages { return &Stages{client, api} }

// Set makes the environment's stage call the functions by the alias of an environment and stamp its
// answers with the release, in one call.
func (s *Stages) Set(ctx context.Context, env, alias statemachine.Environment,
	release string) error {
	release = cmp.Or(release, statemachine.NoRelease)
	_, err := s.client.UpdateStage(ctx, &apigateway.UpdateStageInput{
		RestApiId: &s.id, StageName: aws.String(env.Stage()),
		PatchOperations: []types.PatchOperation{
			replace(statemachine.StageVariableAlias, alias.Alias()),
			replace(statemachine.StageVariableRelease, release),
		},
	})

	return awserr.Wrap(err, "point stage %s of API %s at the aliases %s of release %s", env.Stage(),
		s.id, alias, release)
}

// Get tells which environment's aliases the stage calls, and which release it stamps; "" for none.
func (s *Stages) Get(ctx context.Context, env statemachine.Environment) (
	alias statemachine.Environment, release string, err error) {
	out, err := s.client.GetStage(ctx, &apigateway.GetStageInput{RestApiId: &s.id,
		StageName: aws.String(env.Stage())})
	if err != nil {
		return "", "", awserr.Wrap(err, "look at stage %s of API %s", env.Stage(), s.id)
	}

	if release = out.Variables[statemachine.StageVariableRelease]; release == statemachine.NoRelease {
		release = ""
	}

	return statemachine.Environment(out.Variables[statemachine.StageVariableAlias]), release, nil
}

func replace(variable, value string) types.PatchOperation {
	return types.PatchOperation{Op: types.OpReplace, Path: aws.String("/variables/" + variable),
		Value: &value}
}
