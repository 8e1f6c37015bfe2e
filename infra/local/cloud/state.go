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

// State is the state of the account at one moment, from which a later process can continue.
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

// Save blocks changes in all services while it saves them, so that the state is consistent: for
// example, a schedule and the task token in its input. Metrics are large and are saved separately.
// If they are older than the rest, an alarm that rang in between rings again.
func (c *Cloud) Save() (State, kept.Bodies) {
	bodies := kept.Bodies{}

	for _, hold := range []func() func(){
		c.S3.Hold, c.Lambda.Hold, c.APIGateway.Hold, c.SSM.Hold, c.Secrets.Hold, c.KeyValue.Hold,
		c.Events.Hold, c.Scheduler.Hold, c.States.Hold,
	} {
		defer hold()()
	}

	return State{
		S3:         c.S3.Save(bodies),
		Lambda:     c.Lambda.Save(bodies),
		APIGateway: c.APIGateway.Save(),
		SSM:        c.SSM.Save(),
		Secrets:    c.Secrets.Save(),
		KeyValue:   c.KeyValue.Save(),
		Events:     c.Events.Save(),
		Scheduler:  c.Scheduler.Save(),
		States:     c.States.Save(),
	}, bodies
}

// Load fills a new account. Nothing runs before Resume: until then, callers can subscribe to events
// and provision what is missing.
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
