package cloud_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awsscheduler "github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/events"
	"lockstep/infra/local/cloud/lambda"
)

// An object in a bucket starts an execution. Its function puts the task token into a schedule,
// which completes the task.
func TestCloud_ServicesReachEachOther(t *testing.T) {
	const machine = `{"StartAt":"Wait","States":{"Wait":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken",
		"Parameters":{"FunctionName":"ramp","Payload":{"taskToken.$":"$$.Task.Token"}},"TimeoutSeconds":3600,"End":true}}}`

	synctest.Test(t, func(t *testing.T) {
		var c *cloud.Cloud

		ramp := func(ctx context.Context, payload []byte) ([]byte, error) {
			var in struct{ TaskToken string }
			if err := json.Unmarshal(payload, &in); err != nil {
				return nil, err
			}

			input, err := json.Marshal(map[string]string{"TaskToken": in.TaskToken,
				"Output": `{"verdict":"healthy"}`})
			if err != nil {
				return nil, err
			}

			_, err = awsscheduler.NewFromConfig(c.Config()).CreateSchedule(ctx,
				&awsscheduler.CreateScheduleInput{
					Name: aws.String("bake"),
					ScheduleExpression: aws.String("at(" +
						time.Now().UTC().Add(10*time.Minute).Format("2006-01-02T15:04:05") + ")"),
					FlexibleTimeWindow:    &schedulertypes.FlexibleTimeWindow{Mode: schedulertypes.FlexibleTimeWindowModeOff},
					ActionAfterCompletion: schedulertypes.ActionAfterCompletionDelete,
					Target: &schedulertypes.Target{
						Arn:     aws.String("arn:aws:scheduler:::aws-sdk:sfn:sendTaskSuccess"),
						RoleArn: aws.String("arn:aws:iam::123456789012:role/scheduler"),
						Input:   aws.String(string(input)),
					},
				})

			return []byte("{}"), err
		}

		var heard sync.Map

		signal := func(_ context.Context, payload []byte) ([]byte, error) {
			var event events.Event

			err := json.Unmarshal(payload, &event)
			heard.Store(event.DetailType, true)

			return []byte("{}"), err
		}

		c = cloud.New(lambda.NewInProcess(map[string]lambda.Handler{"ramp": ramp, "signal": signal}),
			lambda.Limits{})
		defer c.Close()

		c.S3.CreateBucket("state", true)

		var signalARN string

		for _, name := range []string{"ramp", "signal"} {
			arn, err := c.Lambda.Create(lambda.Function{Name: name, Zip: emptyZip, Timeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}

			signalARN = arn
		}

		machineARN, err := c.States.Create("lockstep", machine)
		if err != nil {
			t.Fatal(err)
		}

		for _, rule := range []events.Rule{
			{Name: "begin", Pattern: `{"source":["aws.s3"],"detail":{"object":{"key":[{"suffix":"release.json"}]}}}`,
				Targets: []events.Target{{ID: "machine", ARN: machineARN,
					RoleARN: "arn:aws:iam::123456789012:role/events"}}},
			{Name: "ended", Pattern: `{"source":["aws.states"],"detail":{"status":["SUCCEEDED"]}}`,
				Targets: []events.Target{{ID: "signal", ARN: signalARN}}},
		} {
			if err := c.Events.PutRule(rule); err != nil {
				t.Fatal(err)
			}
		}

		start := time.Now()

		_, err = awss3.NewFromConfig(c.Config()).PutObject(t.Context(), &awss3.PutObjectInput{
			Bucket: aws.String("state"), Key: aws.String("releases/v1/release.json"),
			Body: strings.NewReader("{}"),
		})
		if err != nil {
			t.Fatal(err)
		}

		time.Sleep(9 * time.Minute)

		list := &sfn.ListExecutionsInput{StateMachineArn: &machineARN}
		machines := sfn.NewFromConfig(c.Config())

		running, err := machines.ListExecutions(t.Context(), list)
		if err != nil || len(running.Executions) != 1 ||
			running.Executions[0].Status != sfntypes.ExecutionStatusRunning {
			t.Fatalf("after %v: %+v, %v", time.Since(start), running, err)
		}

		time.Sleep(2 * time.Minute)

		ended, err := machines.DescribeExecution(t.Context(),
			&sfn.DescribeExecutionInput{ExecutionArn: running.Executions[0].ExecutionArn})
		if err != nil || ended.Status != sfntypes.ExecutionStatusSucceeded ||
			*ended.Output != `{"verdict":"healthy"}` {
			t.Fatalf("after %v: %+v, %v", time.Since(start), ended, err)
		}

		if _, ok := heard.Load("Step Functions Execution Status Change"); !ok {
			t.Error("the rule for ended executions did not call its function")
		}

		calls := c.Metrics.Sum("AWS/Lambda", "Invocations", map[string]string{"FunctionName": "ramp"},
			start, time.Now())
		if calls != 1 {
			t.Errorf("Lambda counted %v invocations, want 1", calls)
		}
	})
}

// The endpoint finds every service by the name with which its client signs.
func TestCloud_AnswersEveryClient(t *testing.T) {
	c := cloud.New(lambda.NewInProcess(nil), lambda.Limits{})
	defer c.Close()

	c.APIGateway.CreateStage("shopapi001", "api-a", nil)
	c.Secrets.Put("shop/database", "{}")
	ctx, cfg := t.Context(), c.Config()

	calls := map[string]func() error{
		"lambda": func() error {
			_, err := awslambda.NewFromConfig(cfg).ListFunctions(ctx, nil)
			return err
		},
		"apigateway": func() error {
			_, err := apigateway.NewFromConfig(cfg).GetStages(ctx,
				&apigateway.GetStagesInput{RestApiId: aws.String("shopapi001")})

			return err
		},
		"secretsmanager": func() error {
			_, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx,
				&secretsmanager.GetSecretValueInput{SecretId: aws.String("shop/database")})

			return err
		},
		"events": func() error {
			_, err := eventbridge.NewFromConfig(cfg).ListRules(ctx, &eventbridge.ListRulesInput{})
			return err
		},
		"scheduler": func() error {
			_, err := awsscheduler.NewFromConfig(cfg).ListSchedules(ctx, nil)
			return err
		},
		"states": func() error {
			_, err := sfn.NewFromConfig(cfg).ListStateMachines(ctx, nil)
			return err
		},
		"monitoring": func() error {
			_, err := cloudwatch.NewFromConfig(cfg).DescribeAlarms(ctx, nil)
			return err
		},
	}
	for name, call := range calls {
		if err := call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// emptyZip is the end record of a zip without files.
var emptyZip = slices.Concat([]byte("PK\x05\x06"), make([]byte, 18))
