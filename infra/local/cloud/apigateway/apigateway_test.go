package apigateway_test

import (
	"errors"
	"maps"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsapigateway "github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/apigateway"
)

func open(t *testing.T) (*apigateway.Service, *awsapigateway.Client) {
	t.Helper()

	service := apigateway.New()
	service.CreateStage("shopapi001", "api-a", map[string]string{"alias": "a", "release": "v1"})

	return service, awsapigateway.NewFromConfig(
		cloud.NewEndpoint(map[string]http.Handler{"apigateway": service}).Config())
}

func update(op types.Op, path, value string) *awsapigateway.UpdateStageInput {
	return &awsapigateway.UpdateStageInput{
		RestApiId: aws.String("shopapi001"), StageName: aws.String("api-a"),
		PatchOperations: []types.PatchOperation{
			{Op: types.OpReplace, Path: aws.String("/variables/release"), Value: aws.String("v2")},
			{Op: op, Path: aws.String(path), Value: aws.String(value)},
		},
	}
}

func TestUpdateStage(t *testing.T) {
	before := map[string]string{"alias": "a", "release": "v1"}

	cases := map[string]struct {
		op          types.Op
		path, value string
		want        map[string]string // nil: refused
	}{
		"replaces": {types.OpReplace, "/variables/alias", "b",
			map[string]string{"alias": "b", "release": "v2"}},
		"adds": {types.OpAdd, "/variables/new_1", "x=1",
			map[string]string{"alias": "a", "release": "v2", "new_1": "x=1"}},
		"removes": {types.OpRemove, "/variables/alias", "",
			map[string]string{"release": "v2"}},
		"removes what is not":   {types.OpRemove, "/variables/none", "", nil},
		"a name it cannot have": {types.OpReplace, "/variables/a-b", "b", nil},
		"a value it cannot":     {types.OpReplace, "/variables/alias", "a b", nil},
		"no value":              {types.OpReplace, "/variables/alias", "", nil},
		"another path":          {types.OpReplace, "/deploymentId", "d", nil},
		"another operation":     {types.OpMove, "/variables/alias", "b", nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			service, c := open(t)
			out, err := c.UpdateStage(t.Context(), update(tc.op, tc.path, tc.value))

			want := tc.want
			if want == nil {
				want = before

				if bad := (*types.BadRequestException)(nil); !errors.As(err, &bad) {
					t.Errorf("update says %v, want BadRequestException", err)
				}
			} else if err != nil || !maps.Equal(out.Variables, want) {
				t.Errorf("update answers %+v, %v", out, err)
			}

			if stage, _ := service.Stage("shopapi001", "api-a"); !maps.Equal(stage.Variables, want) {
				t.Errorf("variables are %v, want %v", stage.Variables, want)
			}
		})
	}
}

func TestGetStage(t *testing.T) {
	_, c := open(t)

	out, err := c.GetStage(t.Context(), &awsapigateway.GetStageInput{RestApiId: aws.String("shopapi001"), StageName: aws.String("api-a")})
	if err != nil || out.Variables["alias"] != "a" || out.LastUpdatedDate.IsZero() {
		t.Fatalf("stage is %+v, %v", out, err)
	}

	all, err := c.GetStages(
		t.Context(), &awsapigateway.GetStagesInput{RestApiId: aws.String("shopapi001")})
	if err != nil || len(all.Item) != 1 || *all.Item[0].StageName != "api-a" {
		t.Fatalf("stages are %+v, %v", all, err)
	}

	missing := (*types.NotFoundException)(nil)

	_, err = c.GetStage(t.Context(), &awsapigateway.GetStageInput{RestApiId: aws.String("shopapi001"),
		StageName: aws.String("none")})
	if !errors.As(err, &missing) {
		t.Errorf("a missing stage says %v", err)
	}

	_, err = c.GetStages(t.Context(), &awsapigateway.GetStagesInput{RestApiId: aws.String("none")})
	if !errors.As(err, &missing) {
		t.Errorf("a missing API says %v", err)
	}
}

func TestQuota_RefusesAfterTheBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := open(t)
		once := func(o *awsapigateway.Options) { o.RetryMaxAttempts = 1 }

		in := &awsapigateway.GetStagesInput{RestApiId: aws.String("shopapi001")}
		for i := range 40 {
			if _, err := c.GetStages(t.Context(), in, once); err != nil {
				t.Fatalf("call %d: %v", i, err)
			}
		}

		_, err := c.GetStages(t.Context(), in, once)
		if busy := (*types.TooManyRequestsException)(nil); !errors.As(err, &busy) {
			t.Fatalf("call 41 says %v", err)
		}

		time.Sleep(100 * time.Millisecond)

		if _, err := c.GetStages(t.Context(), in, once); err != nil {
			t.Fatalf("a tenth of a second later: %v", err)
		}
	})
}
