package customresource

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"lockstep/infra/local/cloud"
	local "lockstep/infra/local/cloud/lambda"
	locals3 "lockstep/infra/local/cloud/s3"
	sm "lockstep/statemachine"
)

// account is one as CloudFormation leaves it: everything is there but what the releases own.
type account struct {
	*cloud.Cloud
	Provisioner
	settings sm.Settings
}

func fresh(t *testing.T) *account {
	t.Helper()

	c := cloud.New(local.NewInProcess(nil), local.Limits{})
	a := &account{Cloud: c, Provisioner: New(c.Config())}
	c.S3.CreateBucket("state", true)

	for _, e := range sm.Environments() {
		c.APIGateway.CreateStage("api", e.Stage(), map[string]string{})
	}

	for _, name := range []string{"shop-catalog", "shop-orders"} {
		if _, err := c.Lambda.Create(local.Function{Name: name, Zip: zipped(t)}); err != nil {
			t.Fatal(err)
		}
	}

	a.settings = sm.Settings{App: "shop", CallTimeout: sm.Duration(29 * time.Second),
		StateBucket: "state", API: "api", KeyValue: c.KeyValue.Create("shop"),
		Functions: []sm.AppFunction{{Name: "catalog", Lambda: "shop-catalog"},
			{Name: "orders", Lambda: "shop-orders", Live: true}}}

	return a
}

func zipped(t *testing.T) []byte { return packed(t, "bootstrap") }

func other(t *testing.T) []byte { return packed(t, "other") }

func packed(t *testing.T, name string) []byte {
	t.Helper()

	var packed bytes.Buffer

	w := zip.NewWriter(&packed)
	if _, err := w.Create(name); err != nil {
		t.Fatal(err)
	}

	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	return packed.Bytes()
}

func (a *account) deploy(t *testing.T, request cfn.RequestType) {
	t.Helper()

	id, _, err := a.Handle(t.Context(), cfn.Event{RequestType: request,
		PhysicalResourceID: "lockstep-shop",
		ResourceProperties: map[string]any{"Settings": string(a.settings.JSON()), "Caller": "arn:api/" +
			a.settings.API + "/api-*"}})
	if err != nil || id != "lockstep-shop" {
		t.Fatalf("%s: %s, %v", request, id, err)
	}
}

// mayCall tells whether the stages of an API may call an alias.
func (a *account) mayCall(api, alias string) bool {
	return a.Lambda.Permits(alias, "apigateway.amazonaws.com", "arn:api/"+api+"/api-a/GET/orders")
}

// state is all that a release may move.
func (a *account) state(t *testing.T) map[string]string {
	t.Helper()

	state := map[string]string{}
	state["control"], _ = a.SSM.Get(sm.ControlParameter("shop"))

	state["route"], _ = a.KeyValue.Read(a.settings.KeyValue, sm.RouteKey, time.Now())
	for _, e := range sm.Environments() {
		stage, _ := a.APIGateway.Stage("api", e.Stage())
		for key, value := range stage.Variables {
			state[e.Stage()+" "+key] = value
		}

		for _, f := range a.settings.Functions {
			alias, err := a.functions.GetAlias(t.Context(),
				&lambda.GetAliasInput{FunctionName: &f.Lambda, Name: aws.String(e.Alias())})
			if err != nil {
				t.Fatal(err)
			}

			state[f.Lambda+":"+e.Alias()] = *alias.FunctionVersion
		}

		if alias, err := a.functions.GetAlias(t.Context(),
			&lambda.GetAliasInput{FunctionName: aws.String("shop-orders"),
				Name: aws.String(sm.LiveAlias)}); err == nil {
			state["shop-orders:live"] = *alias.FunctionVersion
		}
	}

	return state
}

func TestProvision_FirstDeployment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh(t)
		defer a.Close()

		a.deploy(t, cfn.RequestCreate)

		want := map[string]string{
			"control": `{"active":"a","fallback":"b"}`, "route": `{"active":"a","fallback":"b","weight":0,"release":""}`,
			"api-a alias": "a", "api-a release": "-", "api-b alias": "b", "api-b release": "-",
			"shop-catalog:a": "1", "shop-catalog:b": "1", "shop-orders:a": "1", "shop-orders:b": "1", "shop-orders:live": "1",
		}
		if got := a.state(t); !maps.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}

		for _, alias := range []string{"shop-catalog:a", "shop-catalog:b", "shop-orders:a",
			"shop-orders:b"} {
			if !a.mayCall("api", alias) {
				t.Errorf("the API may not call %s", alias)
			}
		}

		object, _ := a.S3.Get("state", sm.SettingsKey)
		if settings, err := sm.ParseSettings(object.Body); err != nil || settings.App != "shop" {
			t.Errorf("settings.json: %+v, %v", settings, err)
		}
	})
}

// Whatever a release has moved stays where it is, through an update, a deletion and all over again.
func TestProvision_AfterARelease_MovesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh(t)
		defer a.Close()

		a.deploy(t, cfn.RequestCreate)

		control, _ := json.Marshal(sm.Control{Active: sm.B, Fallback: sm.A})
		route, _ := json.Marshal(sm.Route{Active: sm.B, Fallback: sm.A, Weight: 2500, Release: "v7"})

		if err := a.SSM.Put(sm.ControlParameter("shop"), string(control)); err != nil {
			t.Fatal(err)
		}

		if err := a.KeyValue.Put(a.settings.KeyValue, sm.RouteKey, string(route)); err != nil {
			t.Fatal(err)
		}

		a.APIGateway.CreateStage("api", "api-b", map[string]string{sm.StageVariableAlias: "a",
			sm.StageVariableRelease: "v6"})

		before := a.state(t)
		for _, request := range []cfn.RequestType{cfn.RequestUpdate, cfn.RequestDelete,
			cfn.RequestCreate} {
			a.deploy(t, request)

			if after := a.state(t); !maps.Equal(after, before) {
				t.Errorf("%s: found %v, expected %v", request, after, before)
			}
		}
	})
}

// A control parameter from before a destroy decides the route of the store that is made anew.
func TestProvision_NewStore_FollowsTheControlParameter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh(t)
		defer a.Close()

		if err := a.SSM.Put(sm.ControlParameter("shop"), `{"active":"b","fallback":"a"}`); err != nil {
			t.Fatal(err)
		}

		a.deploy(t, cfn.RequestCreate)

		if got := a.state(t)["route"]; got != `{"active":"b","fallback":"a","weight":0,"release":""}` {
			t.Errorf("the route is %s", got)
		}
	})
}

// Lambda@Edge reads the same route from the state bucket. One that a release has moved stays; one
// from a time before a CloudFront Function routed in between is of roles that may have been
// swapped since.
func TestProvision_RouteObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh(t)
		defer a.Close()

		store := a.settings
		a.settings.KeyValue = ""
		properties := func(s sm.Settings) map[string]any {
			return map[string]any{"Settings": string(s.JSON()), "Caller": "arn:api/api-*"}
		}
		deploy := func(request cfn.RequestType, before map[string]any, want string) {
			t.Helper()

			if _, _, err := a.Handle(t.Context(), cfn.Event{RequestType: request,
				ResourceProperties: properties(a.settings), OldResourceProperties: before}); err != nil {
				t.Fatal(err)
			}

			if object, _ := a.S3.Get("state", sm.RouteObject); string(object.Body) != want {
				t.Errorf("%s: the route is %s, expected %s", request, object.Body, want)
			}
		}
		first := `{"active":"a","fallback":"b","weight":0,"release":""}`
		deploy(cfn.RequestCreate, nil, first)

		ramping := `{"active":"a","fallback":"b","weight":500,"release":"v2"}`
		if err := a.S3.Put("state", sm.RouteObject, locals3.Object{Body: []byte(ramping)}); err != nil {
			t.Fatal(err)
		}

		deploy(cfn.RequestUpdate, properties(a.settings), ramping)
		deploy(cfn.RequestDelete, nil, ramping)

		if err := a.SSM.Put(sm.ControlParameter("shop"), `{"active":"b","fallback":"a"}`); err != nil {
			t.Fatal(err)
		}

		deploy(cfn.RequestUpdate, properties(store),
			`{"active":"b","fallback":"a","weight":0,"release":""}`)
	})
}

// Another router is not for a release that is under way, neither way round; all else may change
// meanwhile.
func TestProvision_AnotherRouter_WaitsForTheRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh(t)
		defer a.Close()

		a.deploy(t, cfn.RequestCreate)
		function, lambda := a.settings, a.settings
		lambda.KeyValue = ""
		change := func(before, after sm.Settings) error {
			t.Helper()

			properties := func(s sm.Settings) map[string]any {
				return map[string]any{"Settings": string(s.JSON()), "Caller": "arn:api/api-*"}
			}
			_, _, err := a.Handle(t.Context(), cfn.Event{RequestType: cfn.RequestUpdate,
				ResourceProperties: properties(after), OldResourceProperties: properties(before)})

			return err
		}
		lock := func(text string) {
			t.Helper()

			if err := a.S3.Put("state", sm.LockKey, locals3.Object{Body: []byte(text)}); err != nil {
				t.Fatal(err)
			}
		}
		lock(`{"fence":3,"holder":{"release":"v5"}}`)

		before := a.state(t)

		for name, s := range map[string][2]sm.Settings{"to Lambda@Edge": {function, lambda},
			"from Lambda@Edge": {lambda, function}} {
			if err := change(s[0], s[1]); err == nil ||
				!strings.Contains(
					err.Error(), "lockstep.router: found a change while v5 is being released") {
				t.Errorf("%s: %v, expected it to be refused", name, err)
			}
		}

		if _, written := a.S3.Get("state", sm.RouteObject); written || !maps.Equal(a.state(t), before) {
			t.Error("what was refused has changed something")
		}

		if err := change(function, function); err != nil {
			t.Error(err)
		}

		lock(`{"fence":3}`)

		if err := change(function, lambda); err != nil {
			t.Error(err)
		}
	})
}

// A function whose first event source comes after a hundred releases: events call what serves, not
// what was first.
func TestProvision_FirstEventSource_CallsWhatServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh(t)
		defer a.Close()

		a.settings.Functions[1].Live = false
		a.deploy(t, cfn.RequestCreate)

		if err := a.SSM.Put(sm.ControlParameter("shop"), `{"active":"b","fallback":"a"}`); err != nil {
			t.Fatal(err)
		}

		if _, err := lambda.NewFromConfig(a.Config()).UpdateFunctionCode(t.Context(),
			&lambda.UpdateFunctionCodeInput{FunctionName: aws.String("shop-orders"), ZipFile: other(t),
				Publish: true}); err != nil {
			t.Fatal(err)
		}

		if err := a.Lambda.Alias("shop-orders", "a", "2"); err != nil {
			t.Fatal(err)
		}

		a.settings.Functions[1].Live = true
		a.deploy(t, cfn.RequestUpdate)

		if got := a.state(t)["shop-orders:live"]; got != "2" {
			t.Errorf("events call version %s, expected 2, which the fallback carries", got)
		}
	})
}

// An adopted function outlives the API whose stages may call it: the next one needs a permission
// of its own.
func TestProvision_AnotherAPI_MayCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh(t)
		defer a.Close()

		a.deploy(t, cfn.RequestCreate)

		a.settings.API = "api2"
		for _, e := range sm.Environments() {
			a.APIGateway.CreateStage("api2", e.Stage(), map[string]string{})
		}

		a.deploy(t, cfn.RequestUpdate)

		if !a.mayCall("api2", "shop-orders:b") || !a.mayCall("api", "shop-orders:b") {
			t.Error("both APIs have stages, but not both may call shop-orders:b")
		}
	})
}

// An alias that was deleted is created again. The others stay where the releases moved them, and
// events call what serves.
func TestProvision_MissingAlias(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh(t)
		defer a.Close()

		orders := aws.String("shop-orders")
		functions := lambda.NewFromConfig(a.Config())

		for _, code := range [][]byte{zipped(t), other(t)} {
			if _, err := functions.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{
				FunctionName: orders, ZipFile: code, Publish: true}); err != nil {
				t.Fatal(err)
			}

			time.Sleep(time.Minute) // until the update is over
		}

		if _, err := functions.CreateAlias(t.Context(), &lambda.CreateAliasInput{
			FunctionName: orders, Name: aws.String("b"), FunctionVersion: aws.String("1")}); err != nil {
			t.Fatal(err)
		}

		a.deploy(t, cfn.RequestCreate)

		got := a.state(t)
		if got["shop-orders:a"] != "2" || got["shop-orders:b"] != "1" || got["shop-orders:live"] != "1" {
			t.Errorf("got %v, expected a on 2, b and live on 1, which the fallback b serves", got)
		}

		if !a.mayCall("api", "shop-orders:a") || !a.mayCall("api", "shop-orders:b") {
			t.Error("the API may not call both aliases")
		}
	})
}

// Lambda's control plane takes few calls a second, so a new function takes as few as it can.
func TestProvision_CallsOfANewFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh(t)
		defer a.Close()

		calls := map[string]int{}

		a.Use(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls[cloud.CallOf(r.Context()).Operation]++

				next.ServeHTTP(w, r)
			})
		})

		a.settings.Functions = a.settings.Functions[1:] // one that events call
		a.deploy(t, cfn.RequestCreate)

		for operation, want := range map[string]int{
			"GetAlias": 1, "PublishVersion": 1, "CreateAlias": 3, "AddPermission": 2,
		} {
			if calls[operation] != want {
				t.Errorf("%s: %d calls, expected %d", operation, calls[operation], want)
			}
		}
	})
}

// A function that was adopted may run longer than the API waits, and then says so in cdk.json.
func TestProvision_LongCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh(t)
		defer a.Close()

		if _, err := a.Lambda.Create(local.Function{Name: "reports", Zip: zipped(t),
			Timeout: 5 * time.Minute}); err != nil {
			t.Fatal(err)
		}

		a.settings.Functions = append(a.settings.Functions,
			sm.AppFunction{Name: "reports", Lambda: "reports"})

		_, _, err := a.Handle(t.Context(), cfn.Event{RequestType: cfn.RequestCreate,
			ResourceProperties: map[string]any{"Settings": string(a.settings.JSON()), "Caller": "arn:api/" +
				a.settings.API + "/api-*"}})
		if err == nil || !strings.Contains(err.Error(),
			`reports may run for 5m0s, expected at most 29s; give it "timeout": "5m0s"`) {
			t.Errorf("got %v", err)
		}

		a.settings.CallTimeout = sm.Duration(5 * time.Minute)
		a.deploy(t, cfn.RequestCreate)
	})
}

func TestProvision_RefusesSettingsItCannotRead(t *testing.T) {
	_, _, err := Provisioner{}.Handle(t.Context(),
		cfn.Event{RequestType: cfn.RequestCreate, ResourceProperties: map[string]any{"Settings": `{"ap":"shop"}`}})
	if err == nil {
		t.Error("took settings with an unknown field")
	}
}
