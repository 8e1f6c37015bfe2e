package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra/config"
	sm "lockstep/statemachine"
)

// alarms makes the alarms of each environment. sites are the names of the site buckets.
func (l *Lockstep) alarms(sites map[sm.Environment]string) {
	for _, e := range sm.Environments() {
		for _, a := range l.config.AlarmsOf(e, sites[e]) {
			alarm(l.scope, a)
		}
	}
}

func alarm(scope constructs.Construct, a config.Alarm) {
	properties := a.Properties()
	awscdk.NewCfnResource(scope, jsii.String("Alarm-"+a.Name), &awscdk.CfnResourceProps{
		Type: jsii.String("AWS::CloudWatch::Alarm"), Properties: &properties,
	})
}
