package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra/config"
)

// database is how functions reach the database: by the ARN of its secret, from a network.
type database struct {
	secret                  string
	subnets, securityGroups []*string
}

// secretARN is empty where there is no database.
func (d *database) secretARN() string {
	if d == nil {
		return ""
	}

	return d.secret
}

// newDatabase creates the database, or finds the existing one; nil for an application without one.
func (l *Lockstep) newDatabase() *database {
	switch d := l.config.Database; {
	case d == nil:
		return nil
	case d.New != nil:
		return l.aurora(*d.New)
	default:
		subnets, groups := jsii.Strings(d.VPC.Subnets...), jsii.Strings(d.VPC.SecurityGroups...)
		return &database{d.Secret, *subnets, *groups}
	}
}

// aurora creates a PostgreSQL that scales to zero, in a network of its own from which functions
// reach AWS through a NAT.
func (l *Lockstep) aurora(d config.NewDatabase) *database {
	vpc := awsec2.NewVpc(l.scope, jsii.String("Vpc"), &awsec2.VpcProps{
		MaxAzs: jsii.Number(2), NatGateways: jsii.Number(1),
		RestrictDefaultSecurityGroup: jsii.Bool(false),
		SubnetConfiguration: &[]*awsec2.SubnetConfiguration{
			{Name: jsii.String("public"), SubnetType: awsec2.SubnetType_PUBLIC,
				MapPublicIpOnLaunch: jsii.Bool(false)},
			{Name: jsii.String("functions"), SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS},
			{Name: jsii.String("database"), SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED},
		},
		GatewayEndpoints: &map[string]*awsec2.GatewayVpcEndpointOptions{
			"S3": {Service: awsec2.GatewayVpcEndpointAwsService_S3()},
		},
		FlowLogs: &map[string]*awsec2.FlowLogOptions{"rejected": {
			TrafficType: awsec2.FlowLogTrafficType_REJECT,
			Destination: awsec2.FlowLogDestination_ToCloudWatchLogs(
				l.logGroup(l.scope, "FlowLog", "/lockstep/"+l.config.App+"/network"), nil),
		}},
	})
	callers := awsec2.NewSecurityGroup(l.scope, jsii.String("Callers"), &awsec2.SecurityGroupProps{
		Vpc: vpc, Description: jsii.String("What may call the database of " + l.config.App),
	})
	cluster := awsrds.NewDatabaseCluster(l.scope, jsii.String("Database"),
		&awsrds.DatabaseClusterProps{
			Engine: awsrds.DatabaseClusterEngine_AuroraPostgres(&awsrds.AuroraPostgresClusterEngineProps{
				Version: awsrds.AuroraPostgresEngineVersion_VER_17_7(),
			}),
			Writer:                  awsrds.ClusterInstance_ServerlessV2(jsii.String("Writer"), nil),
			DefaultDatabaseName:     &d.Name,
			ServerlessV2MinCapacity: jsii.Number(0), ServerlessV2MaxCapacity: &d.MaxCapacity,
			Vpc: vpc, VpcSubnets: &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED},
			StorageEncrypted: jsii.Bool(true), DeletionProtection: jsii.Bool(false),
			RemovalPolicy:         awscdk.RemovalPolicy_SNAPSHOT,
			CloudwatchLogsExports: jsii.Strings("postgresql"),
			Backup: &awsrds.BackupProps{
				Retention: awscdk.Duration_Days(jsii.Number(14)),
			},
		})
	cluster.Connections().AllowDefaultPortFrom(callers,
		jsii.String("Functions of the application, and migrations"))
	accept(cluster, "AwsSolutions-RDS6", "Migrations own the schema and log in with the secret, as "+
		"the functions do.")
	accept(cluster, "AwsSolutions-RDS10", "A last snapshot keeps the data; protected, the database "+
		"would stop cdk destroy half way.")
	accept(cluster.Node().FindChild(jsii.String("Secret")), "AwsSolutions-SMG4",
		"A rotation in the middle of a release would cut its migration off; rotate between releases.")

	found := &database{
		secret:         *cluster.Secret().SecretArn(),
		securityGroups: *jsii.Strings(*callers.SecurityGroupId()),
	}
	for _, subnet := range *vpc.SelectSubnets(
		&awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS}).Subnets {
		found.subnets = append(found.subnets, subnet.SubnetId())
	}

	return found
}
