package front_test

import (
	"encoding/json"
	"testing"

	"lockstep/infra/local/front"
)

// A function gets the same object as JSON.parse would make from the event.
func TestFunction_SeesTheEventAsItsJSON(t *testing.T) {
	f, err := front.NewFunction(`function handler(event) { return { statusCode: 200, statusDescription: JSON.stringify(event) }; }`)
	if err != nil {
		t.Fatal(err)
	}

	event := front.Event{
		Version: "1.0", Context: front.EventContext{DistributionDomainName: "d", DistributionID: "E",
			EventType: "viewer-response", RequestID: "r"},
		Viewer: front.EventViewer{IP: "127.0.0.1"},
		Request: front.Request{
			Method: "GET", URI: "/é\u2028", QueryString: front.Values{"__proto__": {Value: "evil"},
				"0": {Value: "a number"}},
			Headers: front.Values{"host": {Value: "shop"},
				"accept": {Value: "a", MultiValue: []front.Value{{Value: "a"}, {Value: "b"}}}},
			Cookies: front.Cookies{"lockstep": {Value: "a",
				MultiValue: []front.Cookie{{Value: "a"}, {Value: "b", Attributes: "Secure"}}}},
		},
	}
	for name, response := range map[string]*front.Response{
		"a request": nil,
		"a response": {StatusCode: 200, StatusDescription: "OK",
			Headers: front.Values{"etag": {Value: `"1"`}}, Cookies: front.Cookies{}},
	} {
		event.Response = response

		want, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}

		result, err := f.Run(event, nil)
		if err != nil {
			t.Fatal(err)
		}

		if got := result.Response.StatusDescription; compact(t, got) != compact(t, string(want)) {
			t.Errorf("%s: the function sees\n%s, expected\n%s", name, got, want)
		}
	}
}

// compact writes JSON as Go does, since JavaScript escapes differently.
func compact(t *testing.T, text string) string {
	t.Helper()

	var b any
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		t.Fatal(err)
	}

	data, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}

	return string(data)
}
