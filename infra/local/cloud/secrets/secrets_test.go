package secrets_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/secrets"
)

func TestGetSecretValue(t *testing.T) {
	service := secrets.New()
	arn := service.Put("shop/database", `{"host":"127.0.0.1"}`)

	c := secretsmanager.NewFromConfig(
		cloud.NewEndpoint(map[string]http.Handler{"secretsmanager": service}).Config())
	for _, id := range []string{"shop/database", arn} {
		out, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &id})
		if err != nil || *out.SecretString != `{"host":"127.0.0.1"}` || *out.ARN != arn ||
			*out.Name != "shop/database" {
			t.Errorf("%s: %+v, %v", id, out, err)
		}
	}

	_, err := c.GetSecretValue(
		t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("none")})
	if missing := (*types.ResourceNotFoundException)(nil); !errors.As(err, &missing) {
		t.Errorf("a missing secret says %v", err)
	}
}
