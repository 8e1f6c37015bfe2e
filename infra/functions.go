package infra

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra/config"
)

// shelves is the number of nested stacks for functions. It must never change: CloudFormation would
// create a function in its new stack before it is deleted from the old one, under the same name,
// and fail.
const shelves = 16

// functions makes the application's functions and their alarms, in nested stacks because a stack
// holds 500 resources. A hash of the name selects the stack, so that a new function changes one
// stack and moves no function. It returns the functions' roles, by name, and the stacks.
func (l *Lockstep) functions(d *database) (map[string]awsiam.Role, []constructs.IDependable) {
	roles, stacks := map[string]awsiam.Role{}, map[uint32]awscdk.NestedStack{}

	for _, f := range l.config.Functions {
		shelf := shelfOf(f.Name)
		if stacks[shelf] == nil {
			stacks[shelf] = awscdk.NewNestedStack(l.scope, jsii.String(fmt.Sprintf("Functions%d", shelf)),
				&awscdk.NestedStackProps{
					Description: jsii.String("Functions of " + l.config.App + ", by Lockstep."),
				})
		}

		scope := constructs.NewConstruct(stacks[shelf], &f.Name)
		if f.Existing == "" {
			roles[f.Name] = l.function(scope, f, d)
		}

		for _, a := range l.config.FunctionAlarms(f) {
			alarm(scope, a)
		}
	}

	var list []constructs.IDependable
	for _, shelf := range slices.Sorted(maps.Keys(stacks)) {
		list = append(list, stacks[shelf])
	}

	return roles, list
}

func shelfOf(name string) uint32 {
	h := fnv.New32a()
	fmt.Fprint(h, name)

	return h.Sum32() % shelves
}

// function makes a function with a placeholder for code. Its versions and aliases belong to the
// releases.
func (l *Lockstep) function(
	scope constructs.Construct, f config.Function, d *database,
) awsiam.Role {
	name := l.config.Lambda(f)
	log := l.logGroup(scope, "Log", "/aws/lambda/"+name)
	statements := []awsiam.PolicyStatement{writesLog(log)}

	environment := map[string]*string{}
	for key, value := range f.Environment {
		environment[key] = &value
	}

	statements = append(statements, l.consumes(f)...)

	var network any

	if d != nil {
		environment[config.DatabaseSecretKey] = &d.secret
		reads := allow([]string{"secretsmanager:GetSecretValue"}, d.secret)
		statements = append(statements, reads, inVPC())
		network = &awslambda.CfnFunction_VpcConfigProperty{
			SubnetIds: &d.subnets, SecurityGroupIds: &d.securityGroups,
		}
	}

	role := lambdaRole(scope, "The function "+name+".", statements)
	l.acceptWide(role, statements)
	code := awss3assets.NewAsset(scope, jsii.String("Code"),
		&awss3assets.AssetProps{Path: jsii.String(l.code.placeholder())})

	function := awslambda.NewCfnFunction(scope, jsii.String("Function"), &awslambda.CfnFunctionProps{
		FunctionName: &name, Role: role.RoleArn(), Runtime: &f.Runtime, Handler: &f.Handler,
		Code: &awslambda.CfnFunction_CodeProperty{
			S3Bucket: code.S3BucketName(), S3Key: code.S3ObjectKey(),
		},
		Architectures: jsii.Strings(f.Architecture), MemorySize: jsii.Number(float64(f.Memory)),
		Timeout:       jsii.Number(f.Timeout.Std().Seconds()),
		Environment:   &awslambda.CfnFunction_EnvironmentProperty{Variables: environment},
		VpcConfig:     network,
		LoggingConfig: &awslambda.CfnFunction_LoggingConfigProperty{LogGroup: log.LogGroupName()},
	})
	if !strings.HasPrefix(f.Runtime, "provided.") {
		accept(function, "AwsSolutions-L1", "The application decides when it moves to a newer runtime.")
	}

	return role
}

// consumes lets a function read from the queues and streams that call it: Lambda polls them with
// the function's role.
func (l *Lockstep) consumes(f config.Function) (statements []awsiam.PolicyStatement) {
	for _, source := range f.Events {
		switch {
		case source.Queue != "":
			statements = append(statements, allow([]string{"sqs:ReceiveMessage", "sqs:DeleteMessage",
				"sqs:GetQueueAttributes"}, source.Queue))
		case strings.Contains(source.Stream, ":dynamodb:"):
			statements = append(statements,
				allow([]string{"dynamodb:DescribeStream", "dynamodb:GetRecords",
					"dynamodb:GetShardIterator"}, source.Stream),
				allow([]string{"dynamodb:ListStreams"}, "*"))
		case source.Stream != "":
			statements = append(statements, allow([]string{"kinesis:DescribeStream",
				"kinesis:DescribeStreamSummary", "kinesis:GetRecords",
				"kinesis:GetShardIterator", "kinesis:ListShards"}, source.Stream))
		}
	}

	sends := func(s config.Source) bool { return s.Stream != "" || s.Handed() }
	if slices.ContainsFunc(f.Events, sends) {
		statements = append(statements,
			allow([]string{"sqs:SendMessage"}, arn("sqs", l.undeliveredName())))
	}

	return statements
}

func (l *Lockstep) logGroup(scope constructs.Construct, id, name string) awslogs.LogGroup {
	return awslogs.NewLogGroup(scope, &id, &awslogs.LogGroupProps{
		LogGroupName: &name, Retention: retention(l.config.LogDays),
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
}

// retention is CDK's constant for a number of days.
func retention(days int) awslogs.RetentionDays {
	return map[int]awslogs.RetentionDays{
		1: awslogs.RetentionDays_ONE_DAY, 3: awslogs.RetentionDays_THREE_DAYS,
		5: awslogs.RetentionDays_FIVE_DAYS, 7: awslogs.RetentionDays_ONE_WEEK,
		14: awslogs.RetentionDays_TWO_WEEKS, 30: awslogs.RetentionDays_ONE_MONTH,
		60: awslogs.RetentionDays_TWO_MONTHS, 90: awslogs.RetentionDays_THREE_MONTHS,
		120: awslogs.RetentionDays_FOUR_MONTHS, 150: awslogs.RetentionDays_FIVE_MONTHS,
		180: awslogs.RetentionDays_SIX_MONTHS, 365: awslogs.RetentionDays_ONE_YEAR,
	}[days]
}

// lambdaRole is the role of one Lambda.
func lambdaRole(
	scope constructs.Construct, description string, statements []awsiam.PolicyStatement,
) awsiam.Role {
	return awsiam.NewRole(scope, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
		Description: &description, InlinePolicies: inline(statements),
	})
}

func inline(statements []awsiam.PolicyStatement) *map[string]awsiam.PolicyDocument {
	return &map[string]awsiam.PolicyDocument{
		"lockstep": awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Statements: &statements}),
	}
}

func allow(actions []string, resources ...string) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings(actions...), Resources: jsii.Strings(resources...),
	})
}

// when narrows a statement by one condition.
func when(s awsiam.PolicyStatement, operator, key string, values ...string) awsiam.PolicyStatement {
	s.AddCondition(&operator, map[string]any{key: values})
	return s
}

func writesLog(log awslogs.LogGroup) awsiam.PolicyStatement {
	return allow([]string{"logs:CreateLogStream", "logs:PutLogEvents"}, *log.LogGroupArn())
}

// inVPC is what Lambda needs to put a function into a network. EC2 allows nothing narrower, because
// the network interfaces have no names before they are created.
func inVPC() awsiam.PolicyStatement {
	return allow([]string{
		"ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
		"ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
	}, "*")
}
