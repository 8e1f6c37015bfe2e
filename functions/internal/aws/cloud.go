// Package aws connects a Lambda to its AWS account: it reads the configuration, and the settings
// that the infrastructure left in the state bucket, and makes the adapters, one per capability. An
// adapter is made when a step asks for it, so a binary links only the clients that its step uses.
package aws

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/cloudfrontkeyvaluestore"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"lockstep/functions/internal/aws/bundle"
	"lockstep/functions/internal/aws/bus"
	"lockstep/functions/internal/aws/control"
	"lockstep/functions/internal/aws/freeze"
	"lockstep/functions/internal/aws/function"
	"lockstep/functions/internal/aws/invoke"
	"lockstep/functions/internal/aws/ledger"
	"lockstep/functions/internal/aws/machine"
	"lockstep/functions/internal/aws/metrics"
	"lockstep/functions/internal/aws/route"
	"lockstep/functions/internal/aws/schedule"
	"lockstep/functions/internal/aws/secret"
	"lockstep/functions/internal/aws/site"
	"lockstep/functions/internal/aws/stage"
	"lockstep/statemachine"
)

// Cloud is the account as the settings describe it.
type Cloud struct {
	Settings statemachine.Settings

	config aws.Config
}

// Connect reads the configuration as every AWS tool does, and the settings from the state bucket,
// whose name is in the environment variable LOCKSTEP_STATE_BUCKET.
func Connect(ctx context.Context) (*Cloud, error) {
	bucket := os.Getenv(statemachine.StateBucketVariable)
	if bucket == "" {
		return nil, fmt.Errorf("read the settings: the environment variable %s is not set, "+
			"expected the name of the state bucket", statemachine.StateBucketVariable)
	}

	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("load the AWS configuration: %w", err)
	}

	data, err := bundle.New(s3Client(cfg), bucket).Read(ctx, statemachine.SettingsKey, 1<<20)
	if err != nil {
		return nil, fmt.Errorf("read the settings: %w", err)
	}

	settings, err := statemachine.ParseSettings(data)
	if err != nil {
		return nil, fmt.Errorf("read the settings: s3://%s: %w", bucket, err)
	}

	return With(cfg, settings), nil
}

// With is the cloud with the given configuration and settings.
func With(cfg aws.Config, settings statemachine.Settings) *Cloud {
	return &Cloud{Settings: settings, config: cfg}
}

// Ledger stores the lock and queue, the records and the state of each environment.
func (c *Cloud) Ledger() *ledger.Store {
	return ledger.New(s3Client(c.config), c.Settings.StateBucket)
}

// Bundles are the uploaded releases.
func (c *Cloud) Bundles() *bundle.Store {
	return bundle.New(s3Client(c.config), c.Settings.StateBucket)
}

// Sites are the site buckets.
func (c *Cloud) Sites() *site.Sites { return site.New(s3Client(c.config), c.Settings.SiteBuckets) }

// Functions are the application's functions. Goroutines must share one: it keeps to Lambda's
// quotas.
func (c *Cloud) Functions() *function.Functions {
	return function.New(lambda.NewFromConfig(c.config), c.Settings.Functions)
}

// Stages are the API's stages.
func (c *Cloud) Stages() *stage.Stages {
	return stage.New(apigateway.NewFromConfig(c.config), c.Settings.API)
}

// Control is the parameter that says who is active.
func (c *Cloud) Control() *control.Parameter {
	return control.New(ssm.NewFromConfig(c.config), c.Settings.App)
}

// Freeze is the parameter that holds every ramp.
func (c *Cloud) Freeze() *freeze.Parameter {
	return freeze.New(ssm.NewFromConfig(c.config), c.Settings.App)
}

// Lambdas are the team's own functions that Lockstep calls, such as a probe.
func (c *Cloud) Lambdas() *invoke.Lambdas { return invoke.New(lambda.NewFromConfig(c.config)) }

// Routes is the route, in the place where the edge reads it.
func (c *Cloud) Routes() interface {
	Get(context.Context) (statemachine.Route, bool, error)
	Put(context.Context, statemachine.Route, func(context.Context) error) error
} {
	if c.Settings.KeyValue == "" {
		return route.InObject(c.Ledger())
	}

	return c.Route()
}

// Route is the route in the key-value store, which a CloudFront Function reads.
func (c *Cloud) Route() *route.Store {
	return route.New(cloudfrontkeyvaluestore.NewFromConfig(c.config, route.Endpoint),
		c.Settings.KeyValue)
}

// Schedule makes the one-time schedules of the ramp.
func (c *Cloud) Schedule() *schedule.Scheduler {
	return schedule.New(scheduler.NewFromConfig(c.config), c.Settings.Schedules)
}

// Machine is the state machine.
func (c *Cloud) Machine() *machine.Machine {
	return machine.New(sfn.NewFromConfig(c.config), c.Settings.Machine)
}

// Bus is the event bus.
func (c *Cloud) Bus() *bus.Bus {
	return bus.New(eventbridge.NewFromConfig(c.config), c.Settings.Bus)
}

// Metrics are the application's metrics and alarms.
func (c *Cloud) Metrics() *metrics.Metrics {
	return metrics.New(cloudwatch.NewFromConfig(c.config), c.Settings)
}

// Secrets has the database's connection.
func (c *Cloud) Secrets() *secret.Secrets {
	return secret.New(secretsmanager.NewFromConfig(c.config))
}

// s3Client puts the bucket into the path if an endpoint is configured: such an endpoint's host may
// not resolve with a bucket's name before it.
func s3Client(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil })
}

// HTTP is for calls that do not go to AWS's APIs, such as a probe's.
func (c *Cloud) HTTP() aws.HTTPClient {
	if c.config.HTTPClient != nil {
		return c.config.HTTPClient
	}

	return http.DefaultClient
}
