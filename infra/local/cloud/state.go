package cloud

import (
	"lockstep/infra/local/cloud/apigateway"
	"lockstep/infra/local/cloud/events"
	"lockstep/infra/local/cloud/kept"
	"lockstep/infra/local/cloud/keyvalue"
	"lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/cloud/s3"
	"lockstep/infra/local/cloud/scheduler"
	"lockstep/infra/local/cloud/secrets"
	"lockstep/infra/local/cloud/ssm"
	"lockstep/infra/local/cloud/states"
)

// State is what the account was at one moment, so that a later process can go on from there.
type State struct {
	S3         s3.State
	Lambda     lambda.State
	APIGateway apigateway.State
	SSM        ssm.State
	Secrets    secrets.State
	KeyValue   keyvalue.State
	Events     events.State
	Scheduler  scheduler.State
	States     states.State
}

// Save holds every service, so that what one of them knows the others do too: a schedule and the
// token in it. Metrics are saved apart, for there are many: where they are older than the rest, an
// alarm that rang since rings again.
func (c *Cloud) Save() (State, kept.Bodies) {
	bodies := kept.Bodies{}

	for _, hold := range []func() func(){
		c.S3.Hold, c.Lambda.Hold, c.APIGateway.Hold, c.SSM.Hold, c.Secrets.Hold, c.KeyValue.Hold, c.Events.Hold, c.Scheduler.Hold, c.States.Hold,
	} {
		defer hold()()
	}

	return State{
		c.S3.Save(bodies), c.Lambda.Save(bodies), c.APIGateway.Save(), c.SSM.Save(), c.Secrets.Save(), c.KeyValue.Save(),
		c.Events.Save(), c.Scheduler.Save(), c.States.Save(),
	}, bodies
}

// Load fills a new account. Nothing goes on by itself before Resume: until then, whoever wants to
// hear of it can subscribe, and what is missing can be provisioned.
func (c *Cloud) Load(state State, read kept.Read) error {
	c.APIGateway.Load(state.APIGateway)
	c.SSM.Load(state.SSM)
	c.Secrets.Load(state.Secrets)
	c.KeyValue.Load(state.KeyValue)

	for _, load := range []func() error{
		func() error { return c.S3.Load(state.S3, read) },
		func() error { return c.Lambda.Load(state.Lambda, read) },
		func() error { return c.Events.Load(state.Events) },
		func() error { return c.Scheduler.Load(state.Scheduler) },
		func() error { return c.States.Load(state.States) },
	} {
		if err := load(); err != nil {
			return err
		}
	}

	return nil
}
