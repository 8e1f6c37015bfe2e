package stage

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/apigateway"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/apigateway"
	"lockstep/statemachine"
)

func TestStages(t *testing.T) {
	service := apigateway.New()
	service.CreateStage("shopapi001", "api-a", map[string]string{"alias": "a", "kept": "yes"})
	endpoint := cloud.NewEndpoint(map[string]http.Handler{"apigateway": service})
	calls := 0

	endpoint.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter,
			r *http.Request) {
			calls++

			next.ServeHTTP(w, r)
		})
	})
	stages := New(sdk.NewFromConfig(endpoint.Config()), "shopapi001")

	for range 2 {
		if err := stages.Set(t.Context(), statemachine.A, statemachine.B, "v7"); err != nil {
			t.Fatal(err)
		}
	}

	if calls != 2 {
		t.Errorf("setting it twice took %d calls, want one each", calls)
	}

	st, _ := service.Stage("shopapi001", "api-a")
	if want := map[string]string{"alias": "b", "release": "v7",
		"kept": "yes"}; !maps.Equal(st.Variables, want) {
		t.Errorf("the stage has %v, want %v", st.Variables, want)
	}

	if alias, release, err := stages.Get(t.Context(), statemachine.A); err != nil ||
		alias != statemachine.B || release != "v7" {
		t.Errorf("got %q, %q, %v", alias, release, err)
	}

	if err := stages.Set(t.Context(), statemachine.A, statemachine.A, ""); err != nil {
		t.Fatal(err)
	}

	if alias, release, err := stages.Get(t.Context(), statemachine.A); err != nil ||
		alias != statemachine.A || release != "" {
		t.Errorf("without a release: got %q, %q, %v", alias, release, err)
	}

	if err := stages.Set(t.Context(), statemachine.B, statemachine.B, "v7"); err == nil ||
		!strings.Contains(err.Error(), "api-b of API shopapi001") {
		t.Errorf("got %v, want an error that names the stage and the API", err)
	}
}
