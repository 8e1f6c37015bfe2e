package secret

import (
	"net/http"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/secrets"
)

func TestConnection(t *testing.T) {
	t.Setenv("PGSSLMODE", "")

	for value, want := range map[string]string{
		`{"engine":"postgres","host":"db.example.com","port":5432,"dbname":"shop","username":"lockstep","password":"p@ss/w:rd? #%"}`: "postgres://lockstep:p%40ss%2Fw%3Ard%3F%20%23%25@db.example.com:5432/shop?sslmode=verify-full",
		`{"host":"::1","port":"6543","dbname":"a b","username":"u","password":"p","sslmode":"disable"}`:                              "postgres://u:p@[::1]:6543/a%20b?sslmode=disable",
		`{"host":"h","dbname":"d","username":"u","password":"p","sslmode":"verify-ca","sslrootcert":"/opt/rds.pem"}`:                 "postgres://u:p@h:5432/d?sslmode=verify-ca&sslrootcert=%2Fopt%2Frds.pem",
	} {
		service := secrets.New()
		arn := service.Put("shop/database", value)

		store := New(sdk.NewFromConfig(cloud.NewEndpoint(map[string]http.Handler{"secretsmanager": service}).Config()))
		if got, _, err := store.Connection(t.Context(), arn); err != nil || got != want {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
	}
}

func TestConnection_SSLModeOfTheEnvironment(t *testing.T) {
	t.Setenv("PGSSLMODE", "require")

	service := secrets.New()
	arn := service.Put("s", `{"host":"h","dbname":"d","username":"u","password":"p"}`)

	store := New(
		sdk.NewFromConfig(cloud.NewEndpoint(map[string]http.Handler{"secretsmanager": service}).Config()))
	if got, _, err := store.Connection(t.Context(), arn); err != nil ||
		got != "postgres://u:p@h:5432/d?sslmode=require" {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestConnection_ErrorsDoNotTellTheSecret(t *testing.T) {
	for value, want := range map[string]string{
		"hunter2": "found no JSON object",
		`{"host":"h","dbname":"d","username":"u","password":["hunter2"]}`:          "found no JSON object",
		`{"host":"h","port":"hunter2","dbname":"d","username":"u","password":"p"}`: "found no JSON object",
		`{"dbname":"d","username":"u","password":"hunter2"}`:                       "host: found nothing",
		`{"host":"h","username":"u","password":"hunter2"}`:                         "dbname: found nothing",
	} {
		service := secrets.New()
		arn := service.Put("s", value)
		store := New(sdk.NewFromConfig(cloud.NewEndpoint(map[string]http.Handler{"secretsmanager": service}).Config()))

		_, _, err := store.Connection(t.Context(), arn)
		if err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want %q and not the password", value, err, want)
		}
	}
}

func TestConnection_Authorities(t *testing.T) {
	t.Setenv("PGSSLMODE", "")

	service := secrets.New()
	arn := service.Put("s", `{"host":"h","dbname":"d","username":"u","password":"p","sslrootcert":"-----BEGIN CERTIFICATE-----\nMII"}`)
	store := New(
		sdk.NewFromConfig(cloud.NewEndpoint(map[string]http.Handler{"secretsmanager": service}).Config()))

	url, authorities, err := store.Connection(t.Context(), arn)
	if err != nil || url != "postgres://u:p@h:5432/d?sslmode=verify-full" ||
		authorities != "-----BEGIN CERTIFICATE-----\nMII" {
		t.Errorf("got %s and %q, %v", url, authorities, err)
	}
}
