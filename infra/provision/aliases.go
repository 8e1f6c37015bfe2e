package main

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

// lambdas is what aliases asks of Lambda.
type lambdas interface {
	AddPermission(context.Context, *lambda.AddPermissionInput,
		...func(*lambda.Options)) (*lambda.AddPermissionOutput, error)
	CreateAlias(context.Context, *lambda.CreateAliasInput,
		...func(*lambda.Options)) (*lambda.CreateAliasOutput, error)
	GetAlias(context.Context, *lambda.GetAliasInput, ...func(*lambda.Options)) (*lambda.GetAliasOutput,
		error)
	PublishVersion(context.Context, *lambda.PublishVersionInput,
		...func(*lambda.Options)) (*lambda.PublishVersionOutput, error)
}

// permission lets the stages of an API call a function.
type permission struct{ id, caller string }

// aliases gives each function the aliases that it lacks, on a version of its code as it is now,
// and lets the API's stages call both: each stage calls either's during a rollback.
func (p provisioner) aliases(ctx context.Context, s sm.Settings, control sm.Control,
	caller string) error {
	quota := rate.NewLimiter(12, 1) // of the 15 calls a second that Lambda's control plane takes
	// Named after the API: a function that was adopted may still have the permission of an API that is
	// gone.
	allow := permission{"lockstep-api-" + s.API, caller}
	for _, f := range s.Functions {
		if err := p.aliasesOf(ctx, quota, f, control, allow, s.CallTimeout.Std()); err != nil {
			return fmt.Errorf("prepare the function %s: %w", f.Name, err)
		}
	}

	return nil
}

func (p provisioner) aliasesOf(ctx context.Context, quota *rate.Limiter, f sm.AppFunction,
	control sm.Control, allow permission, limit time.Duration) error {
	first, serves := "", ""

	for _, e := range sm.Environments() {
		version, err := p.version(ctx, quota, f.Lambda, e.Alias())
		if err != nil {
			return err
		}

		if version == "" {
			if first == "" {
				if first, err = p.publish(ctx, quota, f.Lambda, limit); err != nil {
					return err
				}
			}

			version = first
			if err := p.createAlias(ctx, quota, f.Lambda, e.Alias(), version); err != nil {
				return err
			}
		}

		if e == control.Fallback {
			serves = version
		}

		if err := p.permit(ctx, quota, f.Lambda, e, allow); err != nil {
			return err
		}
	}

	if !f.Live {
		return nil
	}
	// What events call begins with what serves, and from then on the releases move it.
	live, err := p.version(ctx, quota, f.Lambda, sm.LiveAlias)
	if err != nil || live != "" {
		return err
	}

	return p.createAlias(ctx, quota, f.Lambda, sm.LiveAlias, serves)
}

// version is the one that an alias names; empty where there is no such alias.
func (p provisioner) version(ctx context.Context, quota *rate.Limiter, fn, alias string) (string,
	error) {
	if err := quota.Wait(ctx); err != nil {
		return "", err
	}

	out, err := p.functions.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: &fn, Name: &alias})

	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		return "", nil
	}

	if err != nil {
		return "", fmt.Errorf("look at alias %s:%s: %w", fn, alias, err)
	}

	return aws.ToString(out.FunctionVersion), nil
}

// publish answers the version that has the code as it is; Lambda makes no second one of the same.
func (p provisioner) publish(ctx context.Context, quota *rate.Limiter, fn string,
	limit time.Duration) (string, error) {
	if err := quota.Wait(ctx); err != nil {
		return "", err
	}

	out, err := p.functions.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: &fn})
	if err != nil {
		return "", fmt.Errorf("publish a first version of %s: %w", fn, err)
	}
	// A rollback takes the schema back, and a contract narrows it, when the last call must have ended.
	if may := time.Duration(aws.ToInt32(out.Timeout)) * time.Second; may > limit {
		return "", fmt.Errorf("cdk.json: lockstep.functions: %s may run for %s, expected at most %s; "+
			"give it \"timeout\": \"%s\" beside existing", fn, may, limit, may)
	}

	return aws.ToString(out.Version), nil
}

func (p provisioner) createAlias(ctx context.Context, quota *rate.Limiter, fn, alias,
	version string) error {
	if err := quota.Wait(ctx); err != nil {
		return err
	}

	_, err := p.functions.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: &fn, Name: &alias,
		FunctionVersion: &version})

	var exists *types.ResourceConflictException
	if err != nil && !errors.As(err, &exists) {
		return fmt.Errorf("make alias %s:%s: %w", fn, alias, err)
	}

	return nil
}

func (p provisioner) permit(ctx context.Context, quota *rate.Limiter, fn string, e sm.Environment,
	allow permission) error {
	if err := quota.Wait(ctx); err != nil {
		return err
	}

	_, err := p.functions.AddPermission(ctx, &lambda.AddPermissionInput{
		FunctionName: &fn, Qualifier: aws.String(e.Alias()), StatementId: &allow.id,
		Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("apigateway.amazonaws.com"), SourceArn: &allow.caller,
	})

	var exists *types.ResourceConflictException
	if err != nil && !errors.As(err, &exists) {
		return fmt.Errorf("let the API call %s:%s: %w", fn, e.Alias(), err)
	}

	return nil
}
