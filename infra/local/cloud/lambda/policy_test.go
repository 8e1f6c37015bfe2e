package lambda_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"

	"lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/cloud/wire"
)

// allowing allows the stages api-* of an API to call shop-orders:a.
func allowing(statement string) *sdk.AddPermissionInput {
	return &sdk.AddPermissionInput{
		FunctionName: orders, Qualifier: aws.String("a"), StatementId: &statement,
		Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("apigateway.amazonaws.com"),
		SourceArn: aws.String(wire.ARN("execute-api", "shopapi001/api-*")),
	}
}

func TestAddPermission_HoldsForItsAliasServiceAndSource(t *testing.T) {
	run(t, lambda.Options{}, func(t *testing.T, s *lambda.Service, c *sdk.Client) {
		if _, err := c.AddPermission(t.Context(), allowing("api")); err != nil {
			t.Fatal(err)
		}

		const api, stage = "apigateway.amazonaws.com", "shopapi001/api-b/GET/orders"
		for name, want := range map[string]struct {
			function, service, source string
			permitted                 bool
		}{
			"the API":         {"shop-orders:a", api, stage, true},
			"another alias":   {"shop-orders:b", api, stage, false},
			"no alias":        {"shop-orders", api, stage, false},
			"another service": {"shop-orders:a", "events.amazonaws.com", stage, false},
			"another API":     {"shop-orders:a", api, "shopapi002/api-b/GET/orders", false},
			"another stage":   {"shop-orders:a", api, "shopapi001/test/GET/orders", false},
			"no function":     {"shop-baskets:a", api, stage, false},
		} {
			got := s.Permits(wire.ARN("lambda", "function:"+want.function), want.service,
				wire.ARN("execute-api", want.source))
			if got != want.permitted {
				t.Errorf("%s: permitted is %t, expected %t", name, got, want.permitted)
			}
		}
	})
}

func TestAddPermission_Refusals(t *testing.T) {
	run(t, lambda.Options{}, func(t *testing.T, s *lambda.Service, c *sdk.Client) {
		if _, err := c.AddPermission(t.Context(), allowing("api")); err != nil {
			t.Fatal(err)
		}

		for name, refused := range map[string]struct {
			change func(*sdk.AddPermissionInput)
			code   string
		}{
			"a statement that exists": {func(in *sdk.AddPermissionInput) {}, "ResourceConflictException"},
			"an id with a space": {func(in *sdk.AddPermissionInput) {
				in.StatementId = aws.String("an API")
			}, "InvalidParameterValueException"},
			"another action": {func(in *sdk.AddPermissionInput) {
				in.StatementId, in.Action = aws.String("x"), aws.String("lambda:*")
			}, "InvalidParameterValueException"},
			"a star in the middle": {func(in *sdk.AddPermissionInput) {
				in.StatementId, in.SourceArn = aws.String("x"), aws.String("arn:*:api")
			}, "InvalidParameterValueException"},
			"an unknown alias": {func(in *sdk.AddPermissionInput) { in.Qualifier = aws.String("z") },
				"ResourceNotFoundException"},
			"an unknown function": {func(in *sdk.AddPermissionInput) {
				in.FunctionName = aws.String("shop-baskets")
			}, "ResourceNotFoundException"},
		} {
			in := allowing("api")
			refused.change(in)
			_, err := c.AddPermission(t.Context(), in)
			wantCode(t, name, err, refused.code)
		}
	})
}

func TestAddPermission_PolicyHasALimit(t *testing.T) {
	run(t, lambda.Options{}, func(t *testing.T, s *lambda.Service, c *sdk.Client) {
		for n := range 100 {
			time.Sleep(time.Second) // the quota

			_, err := c.AddPermission(t.Context(), allowing(strings.Repeat("x", 90)+fmt.Sprint(n)))
			if err == nil {
				continue
			}

			wantCode(t, "a policy of more than 20 KB", err, "PolicyLengthExceededException")

			if n < 30 {
				t.Errorf("after %d statements", n)
			}

			return
		}

		t.Error("took 100 statements of 400 bytes")
	})
}
