// Package function publishes versions of the application's Lambda functions, and moves the aliases
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

// Functions are the application's Lambda functions, by their names in manifests. Goroutines may
// share it, and must: it keeps to Lambda's quotas of 15 calls a second in all, and 100 of
// GetFunction. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
type Functions struct {
	client  api
	lambdas map[string]string // the names of the Lambdas
	control *rate.Limiter     // for every call but GetFunction
	get     *rate.Limiter     // for GetFunction
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

// At is the version to which the environment's alias points, and its code's digest. It calls
// GetFunction, whose quota is six times that of GetAlias.
func (f *Functions) At(ctx context.Context, name string,
	env statemachine.Environment) (statemachine.FunctionState, error) {
	return f.at(ctx, name, env.Alias())
}

// Followed is the version to which the alias of the event sources points.
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
		return statemachine.FunctionState{}, fmt.Errorf("read the configuration of %s:%s: %w", fn, alias,
			err)
	}

	return statemachine.FunctionState{Version: aws.ToString(c.Version), SHA256: sha256}, nil
}

// Point points the environment's alias at the version. See point for mark and verify.
func (f *Functions) Point(ctx context.Context, name string, env statemachine.Environment, version,
	mark string, verify func(context.Context) error) error {
	return f.point(ctx, name, env.Alias(), version, mark, verify)
}

// Follow points the alias of the event sources at the version. See point for mark and verify.
func (f *Functions) Follow(ctx context.Context, name, version, mark string,
	verify func(context.Context) error) error {
	return f.point(ctx, name, statemachine.LiveAlias, version, mark, verify)
}

// point points the alias at the version, without weights: those would mix versions. It does
// nothing if the alias is so already. It calls verify right before the write, and returns its
// error instead of writing. If somebody else moves the alias meanwhile, the error is StaleWrite.
//
// A mark is written into the alias's description even if the alias need not move. That makes
// another revision of it, so the write of a stale writer that has read the alias before fails.
func (f *Functions) point(ctx context.Context, name, to, version, mark string,
	verify func(context.Context) error) error {
	fn, err := f.lambda(name)
	if err != nil {
		return err
	}

	if mark == "" {
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
			(mark == "" || aws.ToString(a.Description) == mark)
	}
	if done(alias) {
		return nil
	}

	if err := f.control.Wait(ctx); err != nil {
		return fmt.Errorf("point %s:%s at version %s: %w", fn, to, version, err)
	}

	if err := verify(ctx); err != nil {
		return err
	}

	change := &lambda.UpdateAliasInput{
		FunctionName: &fn, Name: &to, FunctionVersion: &version, RevisionId: alias.RevisionId,
		RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{}},
	}
	if mark != "" {
		change.Description = &mark
	}

	_, err = f.client.UpdateAlias(ctx, change)
	if awserr.Stale(err) {
		// The SDK may have repeated an update that timed out after it took effect.
		if now, lookErr := f.alias(ctx, fn, to); lookErr == nil && done(now) {
			return nil
		}
	}

	return awserr.Wrap(err, "point %s:%s at version %s", fn, to, version)
}

func (f *Functions) alias(ctx context.Context, fn, name string) (*lambda.GetAliasOutput, error) {
	if err := f.control.Wait(ctx); err != nil {
		return nil, fmt.Errorf("read alias %s:%s: %w", fn, name, err)
	}

	out, err := f.client.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: &fn, Name: &name})
	if err != nil {
		return nil, awserr.Wrap(err, "read alias %s:%s", fn, name)
	}

	return out, nil
}

// configuration is that of a version, or of the version to which an alias points.
func (f *Functions) configuration(ctx context.Context, fn,
	qualifier string) (*types.FunctionConfiguration, error) {
	if err := f.get.Wait(ctx); err != nil {
		return nil, fmt.Errorf("read the configuration of %s:%s: %w", fn, qualifier, err)
	}

	out, err := f.client.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &fn,
		Qualifier: &qualifier})
	if err != nil {
		return nil, awserr.Wrap(err, "read the configuration of %s:%s", fn, qualifier)
	}

	return out.Configuration, nil
}

// lambda is the name of the function's Lambda.
func (f *Functions) lambda(name string) (string, error) {
	if fn := f.lambdas[name]; fn != "" {
		return fn, nil
	}

	return "", fmt.Errorf("%s: functions: found no function %q, expected its name and its Lambda",
		statemachine.SettingsKey, name)
}

// digest is the code's SHA-256 in hexadecimal, as in manifests. Lambda has it in base64.
func digest(c *types.FunctionConfiguration) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(aws.ToString(c.CodeSha256))
	if err != nil {
		return "", fmt.Errorf("CodeSha256: found %q, expected base64: %w", aws.ToString(c.CodeSha256),
			err)
	}

	return hex.EncodeToString(raw), nil
}
