// Package function publishes versions of the application's Lambda functions and moves the aliases
// by which the environments find them.
package function

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"golang.org/x/time/rate"

	"lockstep/functions/internal/aws/awserr"
	"lockstep/statemachine"
)

type api interface {
	DeleteFunction(context.Context, *lambda.DeleteFunctionInput,
		...func(*lambda.Options)) (*lambda.DeleteFunctionOutput, error)
	GetAlias(context.Context, *lambda.GetAliasInput, ...func(*lambda.Options)) (*lambda.GetAliasOutput,
		error)
	GetFunction(context.Context, *lambda.GetFunctionInput,
		...func(*lambda.Options)) (*lambda.GetFunctionOutput, error)
	ListAliases(context.Context, *lambda.ListAliasesInput,
		...func(*lambda.Options)) (*lambda.ListAliasesOutput, error)
	ListVersionsByFunction(context.Context, *lambda.ListVersionsByFunctionInput,
		...func(*lambda.Options)) (*lambda.ListVersionsByFunctionOutput, error)
	UpdateAlias(context.Context, *lambda.UpdateAliasInput,
		...func(*lambda.Options)) (*lambda.UpdateAliasOutput, error)
	UpdateFunctionCode(context.Context, *lambda.UpdateFunctionCodeInput,
		...func(*lambda.Options)) (*lambda.UpdateFunctionCodeOutput, error)
}

// Functions are the application's Lambda functions, by their names in manifests. It may be used
// from many goroutines: it keeps to Lambda's quotas, 15 calls a second in all and 100 of
// GetFunction.
type Functions struct {
	client  api
	lambdas map[string]string
	control *rate.Limiter
	get     *rate.Limiter
}

// New opens the functions.
func New(client *lambda.Client, functions []statemachine.AppFunction) *Functions {
	f := &Functions{
		client: client, lambdas: map[string]string{},
		control: rate.NewLimiter(14, 1), get: rate.NewLimiter(90, 5),
	}
	for _, app := range functions {
		f.lambdas[app.Name] = app.Lambda
	}

	return f
}

// At is the version that the environment's alias names. It asks GetFunction, which may be called
// six times as often as GetAlias.
func (f *Functions) At(ctx context.Context, name string,
	env statemachine.Environment) (statemachine.FunctionState, error) {
	return f.at(ctx, name, env.Alias())
}

// Followed is the version that event sources call.
func (f *Functions) Followed(ctx context.Context, name string) (statemachine.FunctionState, error) {
	return f.at(ctx, name, statemachine.LiveAlias)
}

func (f *Functions) at(ctx context.Context, name, alias string) (statemachine.FunctionState,
	error) {
	fn, err := f.lambda(name)
	if err != nil {
		return statemachine.FunctionState{}, err
	}

	c, err := f.configuration(ctx, fn, alias)
	if err != nil {
		return statemachine.FunctionState{}, err
	}

	sha256, err := digest(c)
	if err != nil {
		return statemachine.FunctionState{}, fmt.Errorf("look at %s:%s: %w", fn, alias, err)
	}

	return statemachine.FunctionState{Version: aws.ToString(c.Version), SHA256: sha256}, nil
}

// Point makes the environment's alias name the version.
func (f *Functions) Point(ctx context.Context, name string, env statemachine.Environment, version,
	seal string, mine func(context.Context) error) error {
	return f.point(ctx, name, env.Alias(), version, seal, mine)
}

// Follow makes the alias that event sources call name the version.
func (f *Functions) Follow(ctx context.Context, name, version, seal string,
	mine func(context.Context) error) error {
	return f.point(ctx, name, statemachine.LiveAlias, version, seal, mine)
}

// point makes the alias name the version, all of it: an alias with weights would mix versions. It
// does nothing where that is so already, and fails with StaleWrite where somebody else moved the
// alias meanwhile. Between the look at the alias and the move it asks mine, and lets it be on an
// error. A seal is written into the alias's description whether or not anything moves: it makes
// another revision of it, so that whoever looked before comes too late.
func (f *Functions) point(ctx context.Context, name, to, version, seal string,
	mine func(context.Context) error) error {
	fn, err := f.lambda(name)
	if err != nil {
		return err
	}

	if seal == "" {
		now, err := f.configuration(ctx, fn, to)
		if err != nil || aws.ToString(now.Version) == version {
			return err
		}
	}

	alias, err := f.alias(ctx, fn, to)
	if err != nil {
		return err
	}

	done := func(a *lambda.GetAliasOutput) bool {
		return aws.ToString(a.FunctionVersion) == version &&
			(seal == "" || aws.ToString(a.Description) == seal)
	}
	if done(alias) {
		return nil
	}

	if err := f.control.Wait(ctx); err != nil {
		return fmt.Errorf("point %s:%s at version %s: %w", fn, to, version, err)
	}

	if err := mine(ctx); err != nil {
		return err
	}

	change := &lambda.UpdateAliasInput{
		FunctionName: &fn, Name: &to, FunctionVersion: &version, RevisionId: alias.RevisionId,
		RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{}},
	}
	if seal != "" {
		change.Description = &seal
	}

	_, err = f.client.UpdateAlias(ctx, change)
	if awserr.Stale(err) {
		// An update that took effect and timed out meets itself when the SDK repeats it.
		if now, lookErr := f.alias(ctx, fn, to); lookErr == nil && done(now) {
			return nil
		}
	}

	return awserr.Wrap(err, "point %s:%s at version %s", fn, to, version)
}

func (f *Functions) alias(ctx context.Context, fn, name string) (*lambda.GetAliasOutput, error) {
	if err := f.control.Wait(ctx); err != nil {
		return nil, fmt.Errorf("look at alias %s:%s: %w", fn, name, err)
	}

	out, err := f.client.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: &fn, Name: &name})
	if err != nil {
		return nil, awserr.Wrap(err, "look at alias %s:%s", fn, name)
	}

	return out, nil
}

func (f *Functions) configuration(ctx context.Context, fn,
	qualifier string) (*types.FunctionConfiguration, error) {
	if err := f.get.Wait(ctx); err != nil {
		return nil, fmt.Errorf("look at %s:%s: %w", fn, qualifier, err)
	}

	out, err := f.client.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &fn,
		Qualifier: &qualifier})
	if err != nil {
		return nil, awserr.Wrap(err, "look at %s:%s", fn, qualifier)
	}

	return out.Configuration, nil
}

func (f *Functions) lambda(name string) (string, error) {
	if fn := f.lambdas[name]; fn != "" {
		return fn, nil
	}

	return "", fmt.Errorf("%s: functions: found no function %q, expected its name and its Lambda",
		statemachine.SettingsKey, name)
}

// digest is the code's SHA-256 in hexadecimal, as manifests have it; Lambda has it in base64.
func digest(c *types.FunctionConfiguration) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(aws.ToString(c.CodeSha256))
	if err != nil {
		return "", fmt.Errorf("CodeSha256: found %q, expected base64: %w", aws.ToString(c.CodeSha256),
			err)
	}

	return hex.EncodeToString(raw), nil
}
