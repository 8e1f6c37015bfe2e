package control

import (
	"net/http"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/ssm"
	"lockstep/statemachine"
)

const name = "/lockstep/shop/environments"

func open() (*Parameter, *ssm.Service) {
	service := ssm.New(nil)
	endpoint := cloud.NewEndpoint(map[string]http.Handler{"ssm": service})

	return New(sdk.NewFromConfig(endpoint.Config()), "shop"), service
}

func TestParameter(t *testing.T) {
	parameter, service := open()

	want := statemachine.Control{Active: statemachine.B, Fallback: statemachine.A}
	for range 2 {
		if err := parameter.Put(t.Context(), want); err != nil {
			t.Fatal(err)
		}
	}

	if value, _ := service.Get(name); value != `{"active":"b","fallback":"a"}` {
		t.Errorf("the parameter is %s", value)
	}

	if got, err := parameter.Get(t.Context()); err != nil || got != want {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestGet_RefusesWhatCannotBe(t *testing.T) {
	for value, want := range map[string]string{
		"":                                    "ParameterNotFound",
		"active=a":                            "not JSON",
		`{"active":"a"}`:                      `fallback: found ""`,
		`{"active":"a","fallback":"a"}`:       "active, fallback",
		`{"active":"blue","fallback":"a"}`:    `active: found "blue"`,
		`{"active":"a","fallback":"b","w":1}`: "w: found a field that is not known",
	} {
		parameter, service := open()
		if value != "" {
			if err := service.Put(name, value); err != nil {
				t.Fatal(err)
			}
		}

		_, err := parameter.Get(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v, want the parameter's name and %q", value, err, want)
		}
	}
}

func TestPut_RefusesWhatCannotBe(t *testing.T) {
	parameter, service := open()
	if err := parameter.Put(t.Context(), statemachine.Control{Active: "a",
		Fallback: "a"}); err == nil {
		t.Error("put two of the same")
	}

	if value, found := service.Get(name); found {
		t.Errorf("wrote %s", value)
	}
}
