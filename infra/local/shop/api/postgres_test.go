package api

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/secrets"
)

// A password that was changed is the new one for the next connection, in a process that lives on.
func TestAddress_OfASecretThatRotates(t *testing.T) {
	store := secrets.New()

	server := httptest.NewServer(cloud.NewEndpoint(map[string]http.Handler{"secretsmanager": store}))
	defer server.Close()

	for name, value := range map[string]string{"AWS_ENDPOINT_URL": server.URL,
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"} {
		t.Setenv(name, value)
	}

	var p postgres

	for secret, want := range map[string]string{
		`{"host":"db","port":5433,"dbname":"shop","username":"me","password":"p@ss"}`:                        "postgres://me:p%40ss@db:5433/shop?sslmode=require",
		`{"host":"db","port":"5433","dbname":"shop","username":"me","password":"new","sslmode":"verify-ca"}`: "postgres://me:new@db:5433/shop?sslmode=verify-ca",
		`{"host":"db","dbname":"shop","username":"me","password":"newer"}`:                                   "postgres://me:newer@db:5432/shop?sslmode=require",
	} {
		t.Setenv("DATABASE_SECRET", store.Put("shop", secret))

		if got, err := p.address(t.Context()); got != want || err != nil {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
	}
}
