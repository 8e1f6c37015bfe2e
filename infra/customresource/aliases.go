package customresource

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"golang.org/x/time/rate"

	sm "lockstep/statemachine"
)

// controlPlane is how many calls a second are made, of the 15 that Lambda's control plane takes.
const controlPlane = 12

// aliases gives every function the aliases that it lacks.
func (p Provisioner) aliases(
	ctx context.Context, s sm.Settings, control sm.Control, caller string,
) error {
	a := aliasMaker{
		functions: p.functions, quota: rate.NewLimiter(controlPlane, 1), control: control,
		// The id contains the API's: an adopted function may still have an earlier API's permission.
		statement: "lockstep-api-" + s.API, caller: caller, longest: s.CallTimeout.Std(),
	}
	for _, f := range s.Functions {
		if err := a.make(ctx, f); err != nil {
			return fmt.Errorf("prepare the function %s: %w", f.Name, err)
		}
	}

	return nil
}

// aliasMaker creates aliases within Lambda's quota.
type aliasMaker struct {
	functions *lambda.Client
	quota     *rate.Limiter
	control   sm.Control
	statement string        // id of the API's permission
	caller    string        // ARN pattern of the API's stages
	longest   time.Duration // that a call may run
}

// make gives a function the aliases that it lacks, on the version of the code that it has now, and
// lets the API call a and b: in a rollback the stage of one environment calls the other's alias.
//
// The first missing alias suggests that the function is new. From then on aliases are created
// without looking for them first, because Lambda's quota makes each call count: 200 new functions
// take 1,200 calls, and 12 a second are made.
func (a aliasMaker) make(ctx context.Context, f sm.AppFunction) error {
	first, serves := "", ""

	for _, e := range sm.Environments() {
		version, err := a.ensure(ctx, f.Lambda, e.Alias(), &first)
		if err != nil {
			return err
		}

		if e == a.control.Fallback {
			serves = version
		}

		if err := a.permit(ctx, f.Lambda, e.Alias()); err != nil {
			return err
		}
	}

	if !f.Live {
		return nil
	}

	// Events first call the version that serves. From then on the releases move the alias.
	if first == "" {
		if live, err := a.version(ctx, f.Lambda, sm.LiveAlias); err != nil || live != "" {
			return err
		}
	}

	_, err := a.create(ctx, f.Lambda, sm.LiveAlias, serves)

	return err
}

// ensure returns the version of an alias, which it creates if it is missing. first is the version
// that new aliases get: empty until one is needed, which publishes it.
func (a aliasMaker) ensure(
	ctx context.Context, fn, alias string, first *string,
) (version string, err error) {
	if *first == "" {
		if version, err := a.version(ctx, fn, alias); err != nil || version != "" {
			return version, err
		}

		if *first, err = a.publish(ctx, fn); err != nil {
			return "", err
		}
	}

	created, err := a.create(ctx, fn, alias, *first)
	if err != nil || created {
		return *first, err
	}

	return a.version(ctx, fn, alias)
}

// version is the version that an alias points to; empty if there is no such alias.
func (a aliasMaker) version(ctx context.Context, fn, alias string) (string, error) {
	if err := a.quota.Wait(ctx); err != nil {
		return "", err
	}

	out, err := a.functions.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: &fn, Name: &alias})

	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		return "", nil
	}

	if err != nil {
		return "", fmt.Errorf("read alias %s:%s: %w", fn, alias, err)
	}

	return aws.ToString(out.FunctionVersion), nil
}

// publish returns the version of the code that the function has now. Lambda publishes the same
// code only once. A function with a longer timeout than the settings say is refused: rollback and
// contract change the schema as soon as the last call must have ended.
func (a aliasMaker) publish(ctx context.Context, fn string) (string, error) {
	if err := a.quota.Wait(ctx); err != nil {
		return "", err
	}

	out, err := a.functions.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: &fn})
	if err != nil {
		return "", fmt.Errorf("publish a first version of %s: %w", fn, err)
	}

	if runs := time.Duration(aws.ToInt32(out.Timeout)) * time.Second; runs > a.longest {
		return "", fmt.Errorf("cdk.json: lockstep.functions: %s may run for %s, expected at most %s; "+
			"give it \"timeout\": \"%s\" next to existing", fn, runs, a.longest, runs)
	}

	return aws.ToString(out.Version), nil
}

// create makes an alias. created is false for one that exists, which stays as it is.
func (a aliasMaker) create(
	ctx context.Context, fn, alias, version string,
) (created bool, err error) {
	if err := a.quota.Wait(ctx); err != nil {
		return false, err
	}

	_, err = a.functions.CreateAlias(ctx, &lambda.CreateAliasInput{
		FunctionName: &fn, Name: &alias, FunctionVersion: &version,
	})
	if exists(err) {
		return false, nil
	}

	if err != nil {
		return false, fmt.Errorf("create alias %s:%s: %w", fn, alias, err)
	}

	return true, nil
}

// permit lets the API's stages call an alias.
func (a aliasMaker) permit(ctx context.Context, fn, alias string) error {
	if err := a.quota.Wait(ctx); err != nil {
		return err
	}

	_, err := a.functions.AddPermission(ctx, &lambda.AddPermissionInput{
		FunctionName: &fn, Qualifier: &alias, StatementId: &a.statement,
		Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("apigateway.amazonaws.com"),
		SourceArn: &a.caller,
	})
	if err != nil && !exists(err) {
		return fmt.Errorf("let the API call %s:%s: %w", fn, alias, err)
	}

	return nil
}

// exists tells whether Lambda refused a call because what it would create exists already.
func exists(err error) bool {
	var conflict *types.ResourceConflictException

	return errors.As(err, &conflict)
}
