package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	apigatewaytypes "github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	kvs "github.com/aws/aws-sdk-go-v2/service/cloudfrontkeyvaluestore"
	kvstypes "github.com/aws/aws-sdk-go-v2/service/cloudfrontkeyvaluestore/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	sm "lockstep/statemachine"
)

// provisioner makes what is missing.
type provisioner struct {
	objects    *s3.Client
	parameters *ssm.Client
	routes     *kvs.Client
	stages     *apigateway.Client
	functions  lambdas
}

// handle answers CloudFormation.
func (p provisioner) handle(ctx context.Context, event cfn.Event) (id string, data map[string]any,
	err error) {
	id = event.PhysicalResourceID
	if event.RequestType == cfn.RequestDelete {
		return id, nil, nil // what the releases own stays
	}

	text, _ := event.ResourceProperties["Settings"].(string)
	caller, _ := event.ResourceProperties["Caller"].(string)

	var settings sm.Settings // written by this very version, so strictly
	if err := sm.DecodeStrict([]byte(text), &settings); err != nil {
		return id, nil, err
	}

	// written by another version perhaps, so not strictly; missing when the stack is made
	var before sm.Settings
	if old, _ := event.OldResourceProperties["Settings"].(string); old != "" {
		if err := json.Unmarshal([]byte(old), &before); err != nil {
			return id, nil, fmt.Errorf("read the settings from before: %w", err)
		}
	}

	if before.App != "" && (before.KeyValue == "") != (settings.KeyValue == "") {
		if err := p.idle(ctx, settings.StateBucket); err != nil {
			return id, nil, err
		}
	}
	// A route that Lambda@Edge left behind, of a time before a CloudFront Function routed, is of other
	// roles perhaps.
	outlived := before.KeyValue != "" && settings.KeyValue == ""

	return "lockstep-" + settings.App, nil, p.provision(ctx, settings, caller, outlived)
}

// provision goes in the order in which one needs the other; settings.json comes last, since with
// it the steps begin to work.
func (p provisioner) provision(ctx context.Context, s sm.Settings, caller string,
	outlived bool) error {
	control, err := p.control(ctx, s.App)
	if err != nil {
		return err
	}

	if err := p.freeze(ctx, s.App); err != nil {
		return err
	}

	if s.KeyValue == "" {
		err = p.object(ctx, s.StateBucket, control, outlived)
	} else {
		err = p.route(ctx, s.KeyValue, control)
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

	_, err = p.objects.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.StateBucket, Key: aws.String(sm.SettingsKey), Body: bytes.NewReader(s.JSON()), ContentType: aws.String("application/json"),
	})
	if err != nil {
		return fmt.Errorf("write s3://%s/%s: %w", s.StateBucket, sm.SettingsKey, err)
	}

	return nil
}

// idle refuses another router while a release is under way: the new one would begin with everyone
// on the fallback, and the release would go on where the old one no longer reads.
func (p provisioner) idle(ctx context.Context, bucket string) error {
	out, err := p.objects.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket,
		Key: aws.String(sm.LockKey)})

	var none *s3types.NoSuchKey
	if errors.As(err, &none) {
		return nil // nothing was ever released
	}

	if err != nil {
		return fmt.Errorf("read s3://%s/%s: %w", bucket, sm.LockKey, err)
	}

	defer out.Body.Close()

	var lock sm.Lock // of another version perhaps, so not strictly
	if err := json.NewDecoder(out.Body).Decode(&lock); err != nil {
		return fmt.Errorf("read s3://%s/%s: %w", bucket, sm.LockKey, err)
	}

	if lock.Holder != nil {
		return fmt.Errorf("cdk.json: lockstep.router: found another one than before while %s is being "+
			"released, expected it after that has ended", lock.Holder.Release)
	}

	return nil
}

// control makes the parameter that says who is active, and reads it: one that is left from before
// counts.
func (p provisioner) control(ctx context.Context, app string) (sm.Control, error) {
	name, control := sm.ControlParameter(app), sm.Control{Active: sm.A, Fallback: sm.B}

	value, err := json.Marshal(control)
	if err != nil {
		return control, err
	}

	_, err = p.parameters.PutParameter(ctx, &ssm.PutParameterInput{
		Name: &name, Value: aws.String(string(value)), Type: ssmtypes.ParameterTypeString, Overwrite: aws.Bool(false),
	})

	var exists *ssmtypes.ParameterAlreadyExists

	if err == nil {
		return control, nil
	}

	if !errors.As(err, &exists) {
		return control, fmt.Errorf("make parameter %s: %w", name, err)
	}

	out, err := p.parameters.GetParameter(ctx, &ssm.GetParameterInput{Name: &name})
	if err != nil {
		return control, fmt.Errorf("read parameter %s: %w", name, err)
	}

	if err := sm.DecodeStrict([]byte(aws.ToString(out.Parameter.Value)), &control); err != nil {
		return control, fmt.Errorf("read parameter %s: %w", name, err)
	}

	return control, nil
}

// freeze makes the switch that people throw, so that they find it in the console; one that is
// thrown stays thrown.
func (p provisioner) freeze(ctx context.Context, app string) error {
	name := sm.FreezeParameter(app)
	_, err := p.parameters.PutParameter(ctx, &ssm.PutParameterInput{
		Name: &name, Value: aws.String(sm.Unfrozen), Type: ssmtypes.ParameterTypeString, Overwrite: aws.Bool(false),
		Description: aws.String("Stops every release of " + app +
			" from growing and beginning: write why. \"" + sm.Unfrozen + "\" lets them go on."),
	})

	var exists *ssmtypes.ParameterAlreadyExists
	if err != nil && !errors.As(err, &exists) {
		return fmt.Errorf("make parameter %s: %w", name, err)
	}

	return nil
}

// route makes the route that sends everyone to the fallback.
func (p provisioner) route(ctx context.Context, store string, control sm.Control) error {
	key := aws.String(sm.RouteKey)
	// The ETag comes first: a route that somebody writes after this look refuses ours.
	described, err := p.routes.DescribeKeyValueStore(ctx,
		&kvs.DescribeKeyValueStoreInput{KvsARN: &store})
	if err != nil {
		return fmt.Errorf("look at %s: %w", store, err)
	}

	_, err = p.routes.GetKey(ctx, &kvs.GetKeyInput{KvsARN: &store, Key: key})

	var missing *kvstypes.ResourceNotFoundException

	if err == nil {
		return nil
	}

	if !errors.As(err, &missing) {
		return fmt.Errorf("read key %q of %s: %w", sm.RouteKey, store, err)
	}

	value, err := json.Marshal(sm.Route{Active: control.Active, Fallback: control.Fallback})
	if err != nil {
		return err
	}

	if _, err := p.routes.PutKey(ctx, &kvs.PutKeyInput{KvsARN: &store, IfMatch: described.ETag,
		Key: key, Value: aws.String(string(value))}); err != nil {
		return fmt.Errorf("write key %q of %s: %w", sm.RouteKey, store, err)
	}

	return nil
}

// object makes the same route where Lambda@Edge reads it; over one that is there only where that
// has outlived its time.
func (p provisioner) object(ctx context.Context, bucket string, control sm.Control,
	over bool) error {
	value, err := json.Marshal(sm.Route{Active: control.Active, Fallback: control.Fallback})
	if err != nil {
		return err
	}

	in := &s3.PutObjectInput{Bucket: &bucket, Key: aws.String(sm.RouteObject),
		Body: bytes.NewReader(value), ContentType: aws.String("application/json")}
	if !over {
		in.IfNoneMatch = aws.String("*")
	}

	_, err = p.objects.PutObject(ctx, in)

	var refused smithy.APIError
	if errors.As(err, &refused) && refused.ErrorCode() == "PreconditionFailed" {
		return nil
	}

	if err != nil {
		return fmt.Errorf("write s3://%s/%s: %w", bucket, sm.RouteObject, err)
	}

	return nil
}

// stage gives an environment's stage its own aliases, unless it has some.
func (p provisioner) stage(ctx context.Context, api string, e sm.Environment) error {
	stage := e.Stage()

	out, err := p.stages.GetStage(ctx, &apigateway.GetStageInput{RestApiId: &api, StageName: &stage})
	if err != nil {
		return fmt.Errorf("look at stage %s of API %s: %w", stage, api, err)
	}

	var changes []apigatewaytypes.PatchOperation

	for variable, value := range map[string]string{sm.StageVariableAlias: e.Alias(),
		sm.StageVariableRelease: "-"} {
		if out.Variables[variable] == "" {
			changes = append(changes, apigatewaytypes.PatchOperation{Op: apigatewaytypes.OpReplace,
				Path: aws.String("/variables/" + variable), Value: &value})
		}
	}

	if changes == nil {
		return nil
	}

	if _, err := p.stages.UpdateStage(ctx, &apigateway.UpdateStageInput{RestApiId: &api,
		StageName: &stage, PatchOperations: changes}); err != nil {
		return fmt.Errorf("set the variables of stage %s of API %s: %w", stage, api, err)
	}

	return nil
}
