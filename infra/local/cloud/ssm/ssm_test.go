package ssm_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsssm "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/ssm"
)

const name = "/lockstep/shop/environments"

func open(t *testing.T) (*ssm.Service, *awsssm.Client) {
	t.Helper()

	service := ssm.New(nil)

	return service, awsssm.NewFromConfig(
		cloud.NewEndpoint(map[string]http.Handler{"ssm": service}).Config())
}

func TestPutParameter_Overwrite(t *testing.T) {
	service, c := open(t)
	in := &awsssm.PutParameterInput{Name: aws.String(name), Value: aws.String("1"),
		Type: types.ParameterTypeString}

	out, err := c.PutParameter(t.Context(), in)
	if err != nil || out.Version != 1 {
		t.Fatalf("first write: %+v, %v", out, err)
	}

	_, err = c.PutParameter(t.Context(), in)
	if exists := (*types.ParameterAlreadyExists)(nil); !errors.As(err, &exists) {
		t.Fatalf("write without overwrite says %v", err)
	}

	out, err = c.PutParameter(t.Context(), &awsssm.PutParameterInput{Name: aws.String(name),
		Value: aws.String("2"), Overwrite: aws.Bool(true)})
	if err != nil || out.Version != 2 {
		t.Fatalf("overwrite: %+v, %v", out, err)
	}

	if value, ok := service.Get(name); !ok || value != "2" {
		t.Fatalf("value is %q, %v", value, ok)
	}
}

func TestGetParameter(t *testing.T) {
	service, c := open(t)
	if err := service.Put(name, "value"); err != nil {
		t.Fatal(err)
	}

	out, err := c.GetParameter(t.Context(), &awsssm.GetParameterInput{Name: aws.String(name)})
	if err != nil {
		t.Fatal(err)
	}

	if p := out.Parameter; *p.Value != "value" || p.Version != 1 ||
		p.Type != types.ParameterTypeString ||
		*p.ARN != "arn:aws:ssm:us-east-1:123456789012:parameter/lockstep/shop/environments" ||
		p.LastModifiedDate.IsZero() {
		t.Fatalf("parameter is %+v", p)
	}

	_, err = c.GetParameter(t.Context(), &awsssm.GetParameterInput{Name: aws.String("/none")})
	if missing := (*types.ParameterNotFound)(nil); !errors.As(err, &missing) {
		t.Fatalf("a missing parameter says %v", err)
	}

	several, err := c.GetParameters(t.Context(),
		&awsssm.GetParametersInput{Names: []string{name, "/none"}})
	if err != nil || len(several.Parameters) != 1 || len(several.InvalidParameters) != 1 {
		t.Fatalf("several are %+v, %v", several, err)
	}

	below, err := c.GetParametersByPath(t.Context(),
		&awsssm.GetParametersByPathInput{Path: aws.String("/lockstep"), Recursive: aws.Bool(true)})
	if err != nil || len(below.Parameters) != 1 {
		t.Fatalf("below the path are %+v, %v", below, err)
	}
}
