package freeze

import (
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/lambda"
	"lockstep/statemachine"
)

func TestReason(t *testing.T) {
	account := cloud.New(lambda.NewInProcess(nil), lambda.Limits{})
	defer account.Close()

	parameter := New(sdk.NewFromConfig(account.Config()), "shop")

	for value, want := range map[string]string{
		"": "", "off": "", " Off\n": "", "Black Friday": "Black Friday", "  until Monday ": "until Monday", "offline": "offline",
	} {
		if value != "" { // a parameter that is not there
			if err := account.SSM.Put(statemachine.FreezeParameter("shop"), value); err != nil {
				t.Fatal(err)
			}
		}

		if got, err := parameter.Reason(t.Context()); got != want || err != nil {
			t.Errorf("%q: found %q (%v), expected %q", value, got, err, want)
		}

		if err := account.SSM.Delete(statemachine.FreezeParameter("shop")); value != "" && err != nil {
			t.Fatal(err)
		}
	}
}

func TestReason_SaysWhatItAsked(t *testing.T) {
	account := cloud.New(lambda.NewInProcess(nil), lambda.Limits{})
	account.Close()
	cfg := account.Config()
	cfg.HTTPClient = nil
	cfg.BaseEndpoint = nil

	cfg.Region = ""
	if _, err := New(sdk.NewFromConfig(cfg), "shop").Reason(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "read parameter /lockstep/shop/freeze") {
		t.Errorf("found %v", err)
	}
}
