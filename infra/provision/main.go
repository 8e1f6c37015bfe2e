// Provision is the Lambda behind the template's one custom resource. It writes settings.json, and
// makes what the releases will own where it is missing: the control parameter, the route, the
// stages' variables, and for each function its first version, the aliases a and b, and the API's
// permission to call them. It never changes one that is there, and deletes nothing: running it
// again, at any time, moves no traffic.
package main

import (
	"context"
	"log"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/cloudfrontkeyvaluestore"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Fatal(err)
	}

	p := provisioner{
		objects: s3.NewFromConfig(cfg), parameters: ssm.NewFromConfig(cfg), routes: cloudfrontkeyvaluestore.NewFromConfig(cfg),
		stages: apigateway.NewFromConfig(cfg), functions: awslambda.NewFromConfig(cfg),
	}
	lambda.Start(cfn.LambdaWrap(p.handle))
}
