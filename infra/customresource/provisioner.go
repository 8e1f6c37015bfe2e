// Package customresource is the custom resource Custom::Lockstep. It writes settings.json and
// creates what belongs to the releases, where it is missing: the control parameter, the freeze
// parameter, the route, the variables of the stages, and for each function its first version, its
// aliases, and the permission of the API to call them. It changes none of these that exists, and
// it deletes nothing: running it again, at any time, moves no traffic.
//
// On AWS the Lambda infra/provision runs it for CloudFormation; infra/local/stack runs it over the
// stand-ins.
package customresource

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	apitypes "github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	kvs "github.com/aws/aws-sdk-go-v2/service/cloudfrontkeyvaluestore"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	sm "lockstep/statemachine"
)

// Provisioner creates what is missing.
type Provisioner struct {
	objects    *s3.Client
	parameters *ssm.Client
	routes     *kvs.Client
	stages     *apigateway.Client
	functions  *lambda.Client
}

// New makes a Provisioner for the account and Region of cfg.
func New(cfg aws.Config) Provisioner {
	return Provisioner{
		objects: s3.NewFromConfig(cfg), parameters: ssm.NewFromConfig(cfg),
		routes: kvs.NewFromConfig(cfg), stages: apigateway.NewFromConfig(cfg),
		functions: lambda.NewFromConfig(cfg),
	}
}

// Handle handles an event of CloudFormation. The resource has the properties Settings, the
// settings as JSON, and Caller, the ARN pattern of the API's stages, which may call the functions.
// The returned id is the same for every event of an application.
func (p Provisioner) Handle(ctx context.Context, event cfn.Event) (
	id string, data map[string]any, err error,
) {
	id = event.PhysicalResourceID
	if event.RequestType == cfn.RequestDelete {
		return id, nil, nil // what the releases own stays
	}

	text, _ := event.ResourceProperties["Settings"].(string)
	caller, _ := event.ResourceProperties["Caller"].(string)

	var settings sm.Settings // the template of this very version wrote them, so strictly
	if err := sm.DecodeStrict([]byte(text), &settings); err != nil {
		return id, nil, err
	}

	var before sm.Settings // another version may have written them; empty when the stack is created
	if old, _ := event.OldResourceProperties["Settings"].(string); old != "" {
		if err := json.Unmarshal([]byte(old), &before); err != nil {
			return id, nil, fmt.Errorf("parse the settings of the deployment before: %w", err)
		}
	}

	if before.App != "" && (before.KeyValue == "") != (settings.KeyValue == "") {
		if err := p.idle(ctx, settings.StateBucket); err != nil {
			return id, nil, err
		}
	}
	// A route.json from an earlier use of Lambda@Edge may name roles that were swapped since.
	stale := before.KeyValue != "" && settings.KeyValue == ""

	return "lockstep-" + settings.App, nil, p.provision(ctx, settings, caller, stale)
}

// provision creates everything in the order in which it depends on each other. settings.json comes
// last, because the steps can work as soon as it exists.
func (p Provisioner) provision(
	ctx context.Context, s sm.Settings, caller string, staleRoute bool,
) error {
	control, err := p.control(ctx, s.App)
	if err != nil {
		return err
	}

	if err := p.freeze(ctx, s.App); err != nil {
		return err
	}

	if s.KeyValue == "" {
		err = p.routeObject(ctx, s.StateBucket, control, staleRoute)
	} else {
		err = p.routeKey(ctx, s.KeyValue, control)
	}

	if err != nil {
		return err
	}

	for _, e := range sm.Environments() {
		if err := p.stage(ctx, s.API, e); err != nil {
			return err
		}
	}

	if err := p.aliases(ctx, s, control, caller); err != nil {
		return err
	}

	return p.putObject(ctx, &s3.PutObjectInput{
		Bucket: &s.StateBucket, Key: aws.String(sm.SettingsKey), Body: bytes.NewReader(s.JSON()),
	})
}

// idle refuses a change of the router during a release: the new router would start with every
// viewer on the fallback, and the release would write its weights where no router reads them.
func (p Provisioner) idle(ctx context.Context, bucket string) error {
	out, err := p.objects.GetObject(ctx, &s3.GetObjectInput{
		Bucket: &bucket, Key: aws.String(sm.LockKey),
	})

	var none *s3types.NoSuchKey
	if errors.As(err, &none) {
		return nil // nothing was ever released
	}

	if err != nil {
		return fmt.Errorf("read s3://%s/%s: %w", bucket, sm.LockKey, err)
	}

	defer out.Body.Close()

	var lock sm.Lock // another version may have written it, so not strictly
	if err := json.NewDecoder(out.Body).Decode(&lock); err != nil {
		return fmt.Errorf("parse s3://%s/%s: %w", bucket, sm.LockKey, err)
	}

	if lock.Holder != nil {
		return fmt.Errorf("cdk.json: lockstep.router: found a change while %s is being released, "+
			"expected none; deploy it again after the release has ended", lock.Holder.Release)
	}

	return nil
}

// control creates the control parameter. If an earlier stack left one, that one is valid and is
// read.
func (p Provisioner) control(ctx context.Context, app string) (sm.Control, error) {
	name, control := sm.ControlParameter(app), sm.Control{Active: sm.A, Fallback: sm.B}

	value, err := json.Marshal(control)
	if err != nil {
		return control, err
	}

	made, err := p.parameter(ctx, &ssm.PutParameterInput{
		Name: &name, Value: aws.String(string(value)),
	})
	if err != nil || made {
		return control, err
	}

	out, err := p.parameters.GetParameter(ctx, &ssm.GetParameterInput{Name: &name})
	if err != nil {
		return control, fmt.Errorf("read parameter %s: %w", name, err)
	}

	if err := sm.DecodeStrict([]byte(aws.ToString(out.Parameter.Value)), &control); err != nil {
		return control, fmt.Errorf("parse parameter %s: %w", name, err)
	}

	return control, nil
}

// freeze creates the freeze parameter, so that people find it in the console. It does not end a
// freeze.
func (p Provisioner) freeze(ctx context.Context, app string) error {
	_, err := p.parameter(ctx, &ssm.PutParameterInput{
		Name: aws.String(sm.FreezeParameter(app)), Value: aws.String(sm.Unfrozen),
		Description: aws.String("Stops every release of " + app + " from growing and beginning: " +
			"write why. \"" + sm.Unfrozen + "\" lets them go on."),
	})

	return err
}

// parameter creates a parameter, unless there is one of that name.
func (p Provisioner) parameter(
	ctx context.Context, in *ssm.PutParameterInput,
) (made bool, err error) {
	in.Type, in.Overwrite = ssmtypes.ParameterTypeString, aws.Bool(false)
	_, err = p.parameters.PutParameter(ctx, in)

	var exists *ssmtypes.ParameterAlreadyExists
	if errors.As(err, &exists) {
		return false, nil
	}

	if err != nil {
		return false, fmt.Errorf("create parameter %s: %w", *in.Name, err)
	}

	return true, nil
}

// stage sets a stage's missing variables: the alias of its own environment, and no release.
func (p Provisioner) stage(ctx context.Context, api string, e sm.Environment) error {
	stage := e.Stage()

	out, err := p.stages.GetStage(ctx, &apigateway.GetStageInput{RestApiId: &api, StageName: &stage})
	if err != nil {
		return fmt.Errorf("read stage %s of API %s: %w", stage, api, err)
	}

	var changes []apitypes.PatchOperation

	for _, v := range [][2]string{
		{sm.StageVariableAlias, e.Alias()}, {sm.StageVariableRelease, sm.NoRelease},
	} {
		if out.Variables[v[0]] == "" {
			changes = append(changes, apitypes.PatchOperation{
				Op: apitypes.OpReplace, Path: aws.String("/variables/" + v[0]), Value: &v[1],
			})
		}
	}

	if changes == nil {
		return nil
	}

	_, err = p.stages.UpdateStage(ctx, &apigateway.UpdateStageInput{
		RestApiId: &api, StageName: &stage, PatchOperations: changes,
	})
	if err != nil {
		return fmt.Errorf("set the variables of stage %s of API %s: %w", stage, api, err)
	}

	return nil
}
