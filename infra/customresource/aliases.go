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

// controlPlane is how many calls a second it makes, of the 15 that Lambda's control plane takes.
const controlPlane = 12

// aliases gives the functions the aliases that they lack.
func (p Provisioner) aliases(
	ctx context.Context, s sm.Settings, control sm.Control, caller string,
) error {
	a := aliasMaker{
		functions: p.functions, quota: rate.NewLimiter(controlPlane, 1), control: control,
		// Named after the API: an adopted function may still have the permission of an API that is gone.
		statement: "lockstep-api-" + s.API, caller: caller, longest: s.CallTimeout.Std(),
	}
	for _, f := range s.Functions {
		if err := a.make(ctx, f); err != nil {
			return fmt.Errorf("prepare the function %s: %w", f.Name, err)
		}
	}

	return nil
}

// aliasMaker makes the aliases of one function after the other.
type aliasMaker struct {
	functions *lambda.Client
	quota     *rate.Limiter
	control   sm.Control
	statement string        // id of the API's permission
	caller    string        // ARN pattern of the API's stages
	longest   time.Duration // for which a call may run
}

// make gives a function the aliases that it lacks, on a version of the code that it has now, and
// lets the API call a and b: in a rollback the stage of one environment calls the other's alias.
func (a aliasMaker) make(ctx context.Context, f sm.AppFunction) error {
	first, serves := "", ""

	for _, e := range sm.Environments() {
		version, err := a.version(ctx, f.Lambda, e.Alias())
		if err != nil {
			return err
		}

		if version == "" {
			if first == "" {
				if first, err = a.publish(ctx, f.Lambda); err != nil {
					return err
				}
			}

			version = first
			if err := a.create(ctx, f.Lambda, e.Alias(), version); err != nil {
				return err
			}
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

	// Events first call the version that serves; from then on the releases move the alias.
	live, err := a.version(ctx, f.Lambda, sm.LiveAlias)
	if err != nil || live != "" {
		return err
	}

	return a.create(ctx, f.Lambda, sm.LiveAlias, serves)
}

// version is the version that an alias names; empty where there is no such alias.
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

// publish returns the version of the code that the function has now. Lambda publishes the same code
// only once. A function that may run longer than the settings say is refused: a rollback takes the
// schema back, and a contract narrows it, only when the last call must have ended.
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
			"give it \"timeout\": \"%s\" beside existing", fn, runs, a.longest, runs)
	}

	return aws.ToString(out.Version), nil
}

func (a aliasMaker) create(ctx context.Context, fn, alias, version string) error {
	if err := a.quota.Wait(ctx); err != nil {
		return err
	}

	_, err := a.functions.CreateAlias(ctx, &lambda.CreateAliasInput{
		FunctionName: &fn, Name: &alias, FunctionVersion: &version,
	})
	if err := unlessExists(err); err != nil {
		return fmt.Errorf("make alias %s:%s: %w", fn, alias, err)
	}

	return nil
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
	if err := unlessExists(err); err != nil {
		return fmt.Errorf("let the API call %s:%s: %w", fn, alias, err)
	}

	return nil
}

// unlessExists is no error where the error says that it exists already.
func unlessExists(err error) error {
	var exists *types.ResourceConflictException
	if errors.As(err, &exists) {
		return nil
	}

	return err
}
