// Command provision is the Lambda behind the template's one custom resource, Custom::Lockstep.
// Package customresource has what it does.
package main

import (
	"context"
	"log"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"

	"lockstep/infra/customresource"
)

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Fatal(err)
	}

	lambda.Start(cfn.LambdaWrap(customresource.New(cfg).Handle))
}
