// Command echo is a Lambda that does what its event asks for.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Do     string `json:"do"`
	Millis int64  `json:"milliseconds"`
	Name   string `json:"name"`
}

type refused struct{ error }

func handle(ctx context.Context, e event) (map[string]any, error) {
	switch e.Do {
	case "sleep":
		time.Sleep(time.Duration(e.Millis) * time.Millisecond)
	case "spawn":
		held, err := os.OpenFile(e.Name, os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		cmd := exec.Command("sleep", "60")
		cmd.Stdout = held
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		_ = held.Close()
	case "panic":
		panic("no way")
	case "exit":
		os.Exit(3)
	case "error":
		return nil, &refused{errors.New("not today")}
	case "named":
		return nil, messages.InvokeResponse_Error{Type: "StaleWrite", Message: "someone was faster"}
	}
	lc, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	fmt.Println("echo", e.Do)
	return map[string]any{
		"pid": os.Getpid(), "arn": lc.InvokedFunctionArn, "request": lc.AwsRequestID,
		"left":    time.Until(deadline).Milliseconds(),
		"version": os.Getenv("AWS_LAMBDA_FUNCTION_VERSION"), "variable": os.Getenv(e.Name),
	}, nil
}

func main() {
	if os.Getenv("BROKEN") != "" {
		os.Exit(1)
	}
	lambda.Start(handle)
}
