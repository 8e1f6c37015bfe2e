package edge_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"os"
	"testing"

	"lockstep/edge"
	"lockstep/infra/local/front"
)

// visit is one request through the router: viewer-request, an origin, viewer-response.
type visit struct {
	Event front.Event `json:"event"`
	// Route is the value in the store; nil where the key is missing.
	Route *string `json:"route"`
	// Served is the environment that the object names; nil where it is the one asked.
	Served *string `json:"served"`
}

// outcome is what the router made of it.
type outcome struct {
	Redirect    bool   `json:"redirect"` // to the address without the query
	Environment string `json:"environment"`
	// the other environment is asked for what this one does not have
	Failover   bool   `json:"failover"`
	Header     string `json:"header"`
	URI        string `json:"uri"`
	Reads      int    `json:"reads"`
	Validators bool   `json:"validators"`
	Cookie     string `json:"cookie"`
	Attributes string `json:"attributes"`
	Outdated   bool   `json:"outdated"`
}

const (
	requestID  = "EXAMPLEntjQpEXAMPLE_SG5Z-EXAMPLEPmPfEXAMPLEu3EqEXAMPLE=="
	attributes = "Path=/; Max-Age=31536000; Secure; HttpOnly; SameSite=Lax"
)

func request(id, uri string, headers map[string]string, cookie *string) front.Event {
	event := front.Event{
		Version: "1.0",
		Context: front.EventContext{DistributionID: "EDFDVBD6EXAMPLE", EventType: "viewer-request",
			RequestID: id},
		Viewer: front.EventViewer{IP: "198.51.100.11"},
		Request: front.Request{Method: "GET", URI: uri, QueryString: front.Values{},
			Headers: front.Values{}, Cookies: front.Cookies{}},
	}
	for name, value := range headers {
		event.Request.Headers[name] = front.Value{Value: value}
	}

	if cookie != nil {
		event.Request.Cookies["lockstep"] = front.Cookie{Value: *cookie}
	}

	return event
}

func TestRouter_Table(t *testing.T) {
	data, err := os.ReadFile("testdata/routes.json")
	if err != nil {
		t.Fatal(err)
	}

	var table []struct {
		Name    string
		Request struct {
			Method    string
			URI       string
			Query     map[string]string
			RequestID string
			Headers   map[string]string
			Cookie    *string
		}
		Route    json.RawMessage
		Served   *string
		Expected struct {
			Environment, URI, Cookie string
			Headers                  map[string]string
			Reads                    int
			ValidatorsDropped        bool
			Failover, Outdated       bool
			Redirect                 bool
		}
	}

	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields()

	if err := strict.Decode(&table); err != nil {
		t.Fatal(err)
	}

	var (
		visits   []visit
		expected []outcome
	)

	for _, row := range table {
		id := requestID
		if row.Request.RequestID != "" {
			id = row.Request.RequestID
		}

		if _, given := row.Request.Headers["if-none-match"]; !given {
			row.Request.Headers["if-none-match"] = `"etag"`
		}

		event := request(id, row.Request.URI, row.Request.Headers, row.Request.Cookie)

		event.Request.Method = cmp.Or(row.Request.Method, "GET")
		for name, value := range row.Request.Query {
			event.Request.QueryString[name] = front.Value{Value: value}
		}

		visits = append(visits, visit{event, routeValue(t, row.Route), row.Served})
		e := row.Expected

		want := outcome{Redirect: e.Redirect, Environment: e.Environment, Failover: e.Failover,
			Header: e.Headers["x-lockstep-env"], URI: e.URI,
			Reads: e.Reads, Validators: !e.Redirect &&
				!e.ValidatorsDropped, Cookie: e.Cookie, Outdated: e.Outdated}
		if want.Cookie != "" {
			want.Attributes = attributes
		}

		expected = append(expected, want)
	}

	for engine, run := range engines() {
		t.Run(engine, func(t *testing.T) {
			for i, got := range run(t, visits) {
				if got != expected[i] {
					t.Errorf("%s:\n got %+v\nwant %+v", table[i].Name, got, expected[i])
				}
			}
		})
	}
}

func TestRouter_RandomRequestsAgree(t *testing.T) {
	t.Parallel()

	visits := randomVisits(6_000)
	expected := runRule(t, visits)
	seen := map[outcome]bool{}

	for _, o := range expected {
		o.Cookie, o.URI = "", ""
		seen[o] = true
	}

	if len(seen) < 8 {
		t.Fatalf("the random requests reach only %d kinds of outcome", len(seen))
	}

	for engine, run := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()

			for i, got := range run(t, visits) {
				if got != expected[i] {
					event, _ := json.Marshal(visits[i])
					t.Fatalf("%s:\n got %+v\nrule %+v", event, got, expected[i])
				}
			}
		})
	}
}

// routeValue is a table's route as the store holds it: text as it stands, anything else as JSON.
func routeValue(t *testing.T, raw json.RawMessage) *string {
	t.Helper()

	if string(raw) == "null" {
		return nil
	}

	text := string(raw)
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			t.Fatal(err)
		}
	}

	return &text
}

func TestRouter_FitsCloudFront(t *testing.T) {
	if size := len(edge.Router); size > 10_240 {
		t.Errorf("router.js has %d bytes, CloudFront takes 10 KB", size)
	}

	if size := len(shipped(t)); size > 5_000 {
		t.Errorf("what is shipped has %d bytes, expected less than half of what CloudFront takes", size)
	}
}

// shipped is the function that CloudFront receives.
func shipped(t testing.TB) string {
	t.Helper()

	source, err := edge.CloudFront(edge.Options{})
	if err != nil {
		t.Fatal(err)
	}

	return source
}
