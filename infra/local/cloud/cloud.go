package cloud

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"lockstep/infra/local/cloud/apigateway"
	"lockstep/infra/local/cloud/events"
	"lockstep/infra/local/cloud/keyvalue"
	"lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/cloud/metrics"
	"lockstep/infra/local/cloud/s3"
	"lockstep/infra/local/cloud/scheduler"
	"lockstep/infra/local/cloud/secrets"
	"lockstep/infra/local/cloud/ssm"
	"lockstep/infra/local/cloud/states"
	"lockstep/infra/local/cloud/wire"
	"lockstep/statemachine"
)

// Cloud is one AWS account in one Region: all services, connected to each other, behind one
// endpoint.
type Cloud struct {
	*Endpoint
	S3         *s3.Service
	Lambda     *lambda.Service
	APIGateway *apigateway.Service
	SSM        *ssm.Service
	Secrets    *secrets.Service
	KeyValue   *keyvalue.Service
	Events     *events.Service
	Scheduler  *scheduler.Service
	States     *states.Service
	Metrics    *metrics.Service

	delivery Delivery
}

// Delivery delivers an event, or the input of a schedule, to a target.
type Delivery func(ctx context.Context, targetARN string, input []byte) error

// New makes an empty account. runner runs the functions, within limits.
func New(runner lambda.Runner, limits lambda.Limits) *Cloud {
	c := &Cloud{APIGateway: apigateway.New(), Secrets: secrets.New(), KeyValue: keyvalue.New()}
	c.delivery = c.deliver
	deliver := func(ctx context.Context, targetARN, _ string, input []byte) error {
		return c.delivery(ctx, targetARN, input)
	}
	c.Events = events.New(deliver)
	c.Scheduler = scheduler.New(deliver)
	c.S3 = s3.New(c.Events.Emit)
	c.SSM = ssm.New(c.Events.Emit)
	c.Metrics = metrics.New(c.Events.Emit)
	c.Lambda = lambda.New(lambda.Options{
		Code: c.code, Runner: runner, Observe: c.observe, Limits: limits,
	})
	c.States = states.New(c.Lambda.Invoke, c.Events.Emit)
	c.Endpoint = NewEndpoint(map[string]http.Handler{
		"s3":                       c.S3,
		"lambda":                   c.Lambda,
		"apigateway":               c.APIGateway,
		"ssm":                      c.SSM,
		"secretsmanager":           c.Secrets,
		"cloudfront-keyvaluestore": c.KeyValue,
		"events":                   c.Events,
		"scheduler":                c.Scheduler,
		"states":                   c.States,
		"monitoring":               c.Metrics,
	})

	return c
}

// Resume continues what Load took over: executions, schedules and undelivered events.
func (c *Cloud) Resume() error {
	c.States.Resume()
	c.Scheduler.Resume()
	c.Events.Resume()

	return c.Lambda.Resume()
}

// Close stops all services. It begins with those that start calls of the others.
func (c *Cloud) Close() {
	c.Scheduler.Close()
	c.Metrics.Close()
	c.States.Close()
	c.Lambda.Close()
	c.Events.Close()
}

// Deliver wraps every delivery from now on, for example to delay it, to double it or to lose it.
// Call it before the first delivery.
func (c *Cloud) Deliver(wrap func(next Delivery) Delivery) { c.delivery = wrap(c.delivery) }

// deliver calls a target of EventBridge or Scheduler.
func (c *Cloud) deliver(_ context.Context, targetARN string, input []byte) error {
	service, _, _ := strings.Cut(strings.TrimPrefix(targetARN, "arn:aws:"), ":")
	switch {
	case targetARN == scheduler.SendTaskSuccess:
		var in struct{ TaskToken, Output string }
		if err := statemachine.DecodeStrict(input, &in); err != nil {
			return wire.Refuse("ValidationException", "the input of sendTaskSuccess: "+err.Error())
		}

		return c.States.SendTaskSuccess(in.TaskToken, in.Output)
	case service == "lambda":
		return c.Lambda.InvokeAsync(targetARN, input)
	case service == "states":
		_, err := c.States.Start(targetARN, "", string(input))
		return err
	}

	return wire.Refuse("ValidationException", "found no stand-in for the target "+targetARN)
}

// code reads the deployment package that UpdateFunctionCode names.
func (c *Cloud) code(bucket, key string) ([]byte, error) {
	object, ok := c.S3.Get(bucket, key)
	if !ok {
		return nil, fmt.Errorf("get s3://%s/%s: the object does not exist", bucket, key)
	}

	return object.Body, nil
}

// observe records the metrics of Lambda for the function, and for the alias or version that was
// called.
func (c *Cloud) observe(function, resource string, duration time.Duration, failed, throttled bool) {
	of := []map[string]string{{"FunctionName": function}}
	if resource != "" {
		of = append(of, map[string]string{
			"FunctionName": function, "Resource": function + ":" + resource,
		})
	}

	for _, dimensions := range of {
		put := func(metric string, value float64, unit string) {
			c.Metrics.Put("AWS/Lambda", metric, dimensions, value, unit)
		}
		if throttled {
			put("Throttles", 1, "Count")
			continue
		}

		put("Invocations", 1, "Count")
		put("Errors", map[bool]float64{true: 1}[failed], "Count")
		put("Duration", float64(duration)/float64(time.Millisecond), "Milliseconds")
	}
}
