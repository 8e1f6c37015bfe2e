package front_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"lockstep/infra/local/front"
	"lockstep/statemachine"
)

// api is a front whose functions all answer with one function. metrics has the recorded sums.
type api struct {
	http.Handler
	source   string
	function string
	event    events.APIGatewayProxyRequest
	metrics  map[string]float64
}

func newAPI(answer func(context.Context) (string, string, error)) *api {
	a := &api{metrics: map[string]float64{}}
	a.Handler = front.New(front.Options{
		API: "shopapi001",
		Functions: map[string]string{"/catalog": "shop-catalog", "/catalog/deep": "shop-deep",
			"/orders": "shop-orders"},
		Stage: func(e statemachine.Environment) (map[string]string, bool) {
			return map[string]string{"alias": string(e.Other()), "release": "v1"}, e == statemachine.B
		},
		Invoke: func(ctx context.Context, source, function string, payload []byte) ([]byte, string,
			error) {
			a.source, a.function = source, function
			if err := json.Unmarshal(payload, &a.event); err != nil {
				return nil, "", err
			}

			result, functionError, err := answer(ctx)

			return []byte(result), functionError, err
		},
		Record: func(metric, stage string, value float64) { a.metrics[stage+" "+metric] += value },
	})

	return a
}

func says(result, functionError string, err error) func(context.Context) (string, string, error) {
	return func(context.Context) (string, string, error) { return result, functionError, err }
}

func TestAPI_ProxyEvent(t *testing.T) {
	a := newAPI(says(`{"statusCode":201,"headers":{"x-lockstep-release":"v1"},"multiValueHeaders":{"Set-Cookie":["a=1","b=2"]},"body":"aGk=","isBase64Encoded":true}`, "", nil))
	r := httptest.NewRequest("POST", "/api-b/orders/7/items?q=1&q=2", strings.NewReader(`{"n":1}`))
	r.Header.Add("Cookie", "lockstep=b.carolcarol03")

	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)

	if w.Code != 201 || w.Body.String() != "hi" || w.Header().Get("X-Lockstep-Release") != "v1" ||
		len(w.Header()["Set-Cookie"]) != 2 {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
	// The alias comes from the stage variable, not from the name of the stage: a rollback moves a
	// whole stage by it.
	if want := "arn:aws:lambda:us-east-1:123456789012:function:shop-orders:a"; a.function != want {
		t.Errorf("invoked %s, expected %s", a.function, want)
	}

	if want := "arn:aws:execute-api:us-east-1:123456789012:shopapi001/api-b/POST/orders/{proxy+}"; a.source != want {
		t.Errorf("invoked for %s, expected %s", a.source, want)
	}

	e := a.event
	for name, pair := range map[string][2]any{
		"path":          {e.Path, "/orders/7/items"},
		"context.path":  {e.RequestContext.Path, "/api-b/orders/7/items"},
		"resource":      {e.Resource, "/orders/{proxy+}"},
		"proxy":         {e.PathParameters["proxy"], "7/items"},
		"stage":         {e.RequestContext.Stage, "api-b"},
		"release":       {e.StageVariables["release"], "v1"},
		"query":         {e.QueryStringParameters["q"], "2"},
		"all queries":   {fmt.Sprint(e.MultiValueQueryStringParameters["q"]), "[1 2]"},
		"body":          {e.Body, `{"n":1}`},
		"base64":        {e.IsBase64Encoded, false},
		"host":          {e.Headers["Host"], "shopapi001.execute-api.us-east-1.amazonaws.com"},
		"cookie":        {e.Headers["Cookie"], "lockstep=b.carolcarol03"},
		"forwarded for": {e.Headers["X-Forwarded-For"], "192.0.2.1"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %v, expected %v", name, pair[0], pair[1])
		}
	}
}

func TestAPI_Answers(t *testing.T) {
	ok := `{"statusCode":200,"body":"{}"}`
	for name, test := range map[string]struct {
		path    string
		answer  func(context.Context) (string, string, error)
		status  int
		message string
		errors4 float64
		errors5 float64
	}{
		"well":                   {"/api-b/catalog", says(ok, "", nil), 200, "", 0, 0},
		"the function's own 404": {"/api-b/catalog", says(`{"statusCode":404}`, "", nil), 404, "", 1, 0},
		"the function's own 500": {"/api-b/catalog", says(`{"statusCode":500}`, "", nil), 500, "", 0, 1},
		"a function that throws": {"/api-b/catalog", says(`{"errorType":"x"}`, "Unhandled", nil), 502,
			"Internal server error", 0, 1},
		"an alias that is none": {"/api-b/catalog",
			says("", "", errors.New("ResourceNotFoundException")), 500, "Internal server error", 0, 1},
		"not JSON": {"/api-b/catalog", says("hello", "", nil), 502,
			"Internal server error", 0, 1},
		"null": {"/api-b/catalog", says("null", "", nil), 502, "Internal server error",
			0, 1},
		"no status": {"/api-b/catalog", says(`{"body":"x"}`, "", nil), 502,
			"Internal server error", 0, 1},
		"a field that is unknown": {"/api-b/catalog", says(`{"statusCode":200,"x":1}`, "", nil), 502,
			"Internal server error", 0, 1},
		"a body that is no text": {"/api-b/catalog", says(`{"statusCode":200,"body":{}}`, "", nil), 502,
			"Internal server error", 0, 1},
		"no such resource": {"/api-b/catalogue", says(ok, "", nil), 403,
			"Missing Authentication Token", 1, 0},
	} {
		a := newAPI(test.answer)
		r := get(a, test.path)

		got := body(t, r)
		if r.StatusCode != test.status || test.message != "" &&
			got != fmt.Sprintf(`{"message":%q}`, test.message) {
			t.Errorf("%s: %d %s, expected %d %s", name, r.StatusCode, got, test.status, test.message)
		}

		m := a.metrics
		if _, timed := m["api-b Latency"]; !timed || m["api-b Count"] != 1 ||
			m["api-b 4XXError"] != test.errors4 || m["api-b 5XXError"] != test.errors5 {
			t.Errorf("%s: recorded %v", name, m)
		}
	}
}

func TestAPI_LongestResourceWins(t *testing.T) {
	a := newAPI(says(`{"statusCode":200}`, "", nil))
	get(a, "/api-b/catalog/deep/er")

	if !strings.Contains(a.function, "shop-deep") {
		t.Errorf("invoked %s, expected shop-deep", a.function)
	}
}

func TestAPI_StageThatIsNone(t *testing.T) {
	a := newAPI(says(`{"statusCode":200}`, "", nil))
	if r := get(a, "/api-a/catalog"); r.StatusCode != 403 || body(t, r) != `{"message":"Forbidden"}` {
		t.Errorf("%d, expected 403 Forbidden", r.StatusCode)
	}
}

func TestAPI_TimesOutAfter29Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(func(ctx context.Context) (string, string, error) {
			<-ctx.Done()
			return "", "", ctx.Err()
		})
		start := time.Now()

		r := get(a, "/api-b/orders")
		if took := time.Since(start); r.StatusCode != 504 || took != 29*time.Second ||
			body(t, r) != `{"message":"Endpoint request timed out"}` {
			t.Errorf("%d after %v, expected 504 after 29 s", r.StatusCode, took)
		}

		if a.metrics["api-b Latency"] != 29000 || a.metrics["api-b 5XXError"] != 1 {
			t.Errorf("recorded %v", a.metrics)
		}
	})
}
