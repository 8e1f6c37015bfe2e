package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"golang.org/x/time/rate"

	sm "lockstep/statemachine"
)

// lambdas is what aliases asks of Lambda.
type lambdas interface {
	AddPermission(context.Context, *lambda.AddPermissionInput, ...func(*lambda.Options)) (*lambda.AddPermissionOutput, error)
	CreateAlias(context.Context, *lambda.CreateAliasInput, ...func(*lambda.Options)) (*lambda.CreateAliasOutput, error)
	GetAlias(context.Context, *lambda.GetAliasInput, ...func(*lambda.Options)) (*lambda.GetAliasOutput, error)
	PublishVersion(context.Context, *lambda.PublishVersionInput, ...func(*lambda.Options)) (*lambda.PublishVersionOutput, error)
}

// aliases gives each function the aliases that it lacks, on a version of its code as it is now, and lets the
// API's stages call both: each stage calls either's during a rollback.
func (p provisioner) aliases(ctx context.Context, functions []sm.AppFunction, caller string) error {
	quota := rate.NewLimiter(12, 1) // of the 15 calls a second that Lambda's control plane takes
	for _, f := range functions {
		if err := p.aliasesOf(ctx, quota, f.Lambda, caller); err != nil {
			return fmt.Errorf("prepare the function %s: %w", f.Name, err)
		}
	}
	return nil
}

func (p provisioner) aliasesOf(ctx context.Context, quota *rate.Limiter, fn, caller string) error {
	version := ""
	for _, e := range sm.Environments() {
		there, err := p.alias(ctx, quota, fn, e)
		if err != nil {
			return err
		}
		if !there {
			if version == "" {
				if version, err = p.publish(ctx, quota, fn); err != nil {
					return err
				}
			}
			if err := p.createAlias(ctx, quota, fn, e, version); err != nil {
				return err
			}
		}
		if err := p.permit(ctx, quota, fn, e, caller); err != nil {
			return err
		}
	}
	return nil
}

func (p provisioner) alias(ctx context.Context, quota *rate.Limiter, fn string, e sm.Environment) (there bool, err error) {
	if err := quota.Wait(ctx); err != nil {
		return false, err
	}
	_, err = p.functions.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: &fn, Name: aws.String(e.Alias())})
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at alias %s:%s: %w", fn, e.Alias(), err)
	}
	return true, nil
}

// publish answers the version that has the code as it is; Lambda makes no second one of the same.
func (p provisioner) publish(ctx context.Context, quota *rate.Limiter, fn string) (string, error) {
	if err := quota.Wait(ctx); err != nil {
		return "", err
	}
	out, err := p.functions.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: &fn})
	if err != nil {
		return "", fmt.Errorf("publish a first version of %s: %w", fn, err)
	}
	return aws.ToString(out.Version), nil
}

func (p provisioner) createAlias(ctx context.Context, quota *rate.Limiter, fn string, e sm.Environment, version string) error {
	if err := quota.Wait(ctx); err != nil {
		return err
	}
	_, err := p.functions.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: &fn, Name: aws.String(e.Alias()), FunctionVersion: &version})
	var exists *types.ResourceConflictException
	if err != nil && !errors.As(err, &exists) {
		return fmt.Errorf("make alias %s:%s: %w", fn, e.Alias(), err)
	}
	return nil
}

func (p provisioner) permit(ctx context.Context, quota *rate.Limiter, fn string, e sm.Environment, caller string) error {
	if err := quota.Wait(ctx); err != nil {
		return err
	}
	_, err := p.functions.AddPermission(ctx, &lambda.AddPermissionInput{
		FunctionName: &fn, Qualifier: aws.String(e.Alias()), StatementId: aws.String("lockstep-api"),
		Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("apigateway.amazonaws.com"), SourceArn: &caller,
	})
	var exists *types.ResourceConflictException
	if err != nil && !errors.As(err, &exists) {
		return fmt.Errorf("let the API call %s:%s: %w", fn, e.Alias(), err)
	}
	return nil
}
