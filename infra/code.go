package infra

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/jsii-runtime-go"

	sm "lockstep/statemachine"
)

// provisioner is the folder of the custom resource's Lambda among the compiled.
const provisioner = "provision"

// placeholder is the folder of the code of a function that has none yet.
const placeholder = "placeholder"

// Code is a folder with what was compiled: a folder for each Lambda, with its bootstrap.
type Code struct{ dir string }

// CodeIn is code that was compiled before.
func CodeIn(dir string) Code { return Code{dir} }

// Build compiles Lockstep's Lambdas below dir with plain `go build`, wherever the CDK app is, if its
// module requires Lockstep's. The same source gives the same bytes, so that what did not change is not deployed.
func Build(dir string) (Code, error) {
	c := Code{dir}
	targets := map[string]string{provisioner: "lockstep/infra/provision"}
	for _, task := range sm.Functions() {
		name := strings.ToLower(string(task))
		targets[name] = "lockstep/functions/" + name
	}
	for name, target := range targets {
		build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w -buildid=",
			"-o", filepath.Join(dir, name, "bootstrap"), target)
		build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
		if output, err := build.CombinedOutput(); err != nil {
			return c, fmt.Errorf("compile %s for AWS Lambda: %w\n%s", target, err, output)
		}
	}
	return c, c.writePlaceholder()
}

func (c Code) of(name string) awslambda.Code {
	return awslambda.Code_FromAsset(jsii.String(filepath.Join(c.dir, name)), &awss3assets.AssetOptions{})
}

// placeholder is what the application's functions are until the first release brings them.
func (c Code) placeholder() string { return filepath.Join(c.dir, placeholder) }

// writePlaceholder writes the script that stands for a function's code: any runtime takes it, none runs it.
func (c Code) writePlaceholder() error {
	if err := os.MkdirAll(c.placeholder(), 0o755); err != nil {
		return fmt.Errorf("write the placeholder of the functions: %w", err)
	}
	script := []byte("#!/bin/sh\necho 'nothing is released yet' >&2\nexit 1\n")
	if err := os.WriteFile(filepath.Join(c.placeholder(), "bootstrap"), script, 0o755); err != nil {
		return fmt.Errorf("write the placeholder of the functions: %w", err)
	}
	return nil
}
