// Command app is this repository's CDK app: one application and its Lockstep, as cdk.json describes
// them. cdk runs it.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra"
	"lockstep/infra/config"
)

// endOfLife is the variable that lists the versions of Node about which jsii does not warn.
const endOfLife = "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "lockstep:", err)
		os.Exit(1)
	}
}

func run() error {
	if _, told := os.LookupEnv(endOfLife); !told {
		os.Setenv(endOfLife, "18,20")
	}

	defer jsii.Close()

	c, err := config.Load("cdk.json")
	if err != nil {
		return err
	}

	at := environment()

	if c.Router == config.LambdaEdge {
		if err := infra.LambdaEdgeIn(os.Getenv(accountVariable), os.Getenv(regionVariable)); err != nil {
			return err
		}
	}

	if at != nil {
		if err := c.In(*at.Account, *at.Region); err != nil {
			return err
		}
	}

	code, err := infra.Build(filepath.Join(".lockstep", "lambda"))
	if err != nil {
		return err
	}

	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("lockstep-"+c.App), &awscdk.StackProps{
		// cdk finds the account and the Region. Without them the template is for any.
		Env: at, Description: jsii.String("Lockstep for " + c.App + "."),
	})
	infra.NewLockstep(stack, "Lockstep", infra.Props{Config: c, Code: code})
	app.Synth(nil)

	return nil
}

// The variables in which cdk hands over the account and the Region that it deploys to.
const (
	accountVariable = "CDK_DEFAULT_ACCOUNT"
	regionVariable  = "CDK_DEFAULT_REGION"
)

func environment() *awscdk.Environment {
	account, region := os.Getenv(accountVariable), os.Getenv(regionVariable)
	if account == "" || region == "" {
		return nil
	}

	return &awscdk.Environment{Account: &account, Region: &region}
}
