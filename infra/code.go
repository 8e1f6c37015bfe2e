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

// provisioner is the folder of the custom resource's Lambda.
const provisioner = "provision"

// placeholder is the folder of the code of functions before their first release.
const placeholder = "placeholder"

// Code is the compiled code: a folder for each Lambda, with its bootstrap.
type Code struct{ dir string }

// CodeIn is the code that Build compiled into dir earlier.
func CodeIn(dir string) Code { return Code{dir} }

// Build compiles Lockstep's Lambdas into dir with `go build`. It works in any module that requires
// Lockstep's. The same source gives the same bytes, so that an unchanged Lambda is not deployed
// again.
func Build(dir string) (Code, error) {
	c, bin := Code{dir}, filepath.Join(dir, "bin")
	names, targets := []string{provisioner}, []string{"lockstep/infra/provision"}

	for _, task := range sm.Functions() {
		name := strings.ToLower(string(task))
		names, targets = append(names, name), append(targets, "lockstep/functions/"+name)
	}

	if err := os.MkdirAll(bin, 0o755); err != nil {
		return c, fmt.Errorf("make a folder for Lockstep's Lambdas: %w", err)
	}

	build := exec.Command("go", append([]string{"build", "-trimpath", "-buildvcs=false", "-tags",
		"lambda.norpc", "-ldflags", "-s -w -buildid=",
		"-o", bin + string(filepath.Separator)}, targets...)...)

	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return c, fmt.Errorf("compile Lockstep's Lambdas for AWS: %w\n%s", err, output)
	}

	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return c, fmt.Errorf("make a folder for Lockstep's Lambdas: %w", err)
		}

		if err := os.Rename(filepath.Join(bin, name), filepath.Join(dir, name, "bootstrap")); err != nil {
			return c, fmt.Errorf("lay out the Lambda %s: %w", name, err)
		}
	}

	return c, c.writePlaceholder()
}

func (c Code) of(name string) awslambda.Code {
	return awslambda.Code_FromAsset(jsii.String(filepath.Join(c.dir, name)),
		&awss3assets.AssetOptions{})
}

// placeholder is the folder of the code of functions before their first release.
func (c Code) placeholder() string { return filepath.Join(c.dir, placeholder) }

// writePlaceholder writes a script in place of a function's code. Any runtime accepts it, and none
// can run it.
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
