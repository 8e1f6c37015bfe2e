package control

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"lockstep/statemachine"
)

// holding is a parameter with a value that somebody may have edited in the console.
type holding struct {
	api
	value string
}

func (h holding) GetParameter(context.Context, *ssm.GetParameterInput,
	...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
	return &ssm.GetParameterOutput{Parameter: &types.Parameter{Value: &h.value}}, nil
}

func FuzzParameter_Get(f *testing.F) {
	for _, value := range []string{`{"active":"a","fallback":"b"}`, `{"active":"a","fallback":"a"}`,
		`{"active":"c"}`, `null`, ``, `{"active":"a","fallback":"b"}{}`, `[]`} {
		f.Add(value)
	}

	f.Fuzz(func(t *testing.T, value string) {
		got, err := (&Parameter{holding{value: value}, name}).Get(t.Context())
		if err != nil {
			if got != (statemachine.Control{}) {
				t.Errorf("%q: refused, and yet gave %v", value, got)
			}

			return
		}

		if got != (statemachine.Control{Active: "a", Fallback: "b"}) &&
			got != (statemachine.Control{Active: "b", Fallback: "a"}) {
			t.Errorf("%q: took %v for roles", value, got)
		}
	})
}
