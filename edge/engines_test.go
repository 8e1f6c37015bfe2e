package edge_test

import (
	_ "embed"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"lockstep/edge"
	"lockstep/infra/local/front"
)

// engines are those that must agree: the rule in Go, the engine of infra/local, and njs, which speaks
// CloudFront's dialect.
func engines() map[string]func(*testing.T, []visit) []outcome {
	return map[string]func(*testing.T, []visit) []outcome{"rule": runRule, "sobek": runSobek, "njs": runNJS}
}

func runRule(_ *testing.T, visits []visit) []outcome {
	outcomes := make([]outcome, len(visits))
	for i, v := range visits {
		outcomes[i] = rule(v)
	}
	return outcomes
}

func runSobek(t *testing.T, visits []visit) []outcome {
	t.Helper()
	function, err := front.NewFunction(edge.Router)
	if err != nil {
		t.Fatal(err)
	}
	outcomes := make([]outcome, len(visits))
	for i, v := range visits {
		o := &outcomes[i]
		read := func(key string) (string, bool) {
			o.Reads++
			if v.Route == nil || key != "route" {
				return "", false
			}
			return *v.Route, true
		}
		asked, err := function.Run(v.Event, read)
		if err != nil {
			t.Fatalf("%+v: %v", v, err)
		}
		o.Environment = asked.Origin[len("site-"):]
		o.Header = asked.Request.Headers["x-lockstep-env"].Value
		o.URI = asked.Request.URI
		_, o.Validators = asked.Request.Headers["if-none-match"]

		served := o.Environment
		if v.Served != nil {
			served = *v.Served
		}
		// Whether viewer-response sees the request as it came or as viewer-request left it is not known.
		for _, request := range []front.Request{v.Event.Request, *asked.Request} {
			event := v.Event
			event.Context.EventType = "viewer-response"
			event.Request = request
			event.Response = &front.Response{StatusCode: 200, Headers: front.Values{}, Cookies: front.Cookies{}}
			if served != "" {
				event.Response.Headers["x-amz-meta-lockstep-env"] = front.Value{Value: served}
			}
			reads := o.Reads
			answered, err := function.Run(event, read)
			if err != nil {
				t.Fatalf("%+v: %v", v, err)
			}
			if o.Reads != reads {
				t.Fatalf("%+v: viewer-response reads the store", v)
			}
			cookie := answered.Response.Cookies["lockstep"]
			if o.Cookie != "" && o.Cookie != cookie.Value {
				t.Fatalf("%+v: viewer-response depends on what viewer-request did", v)
			}
			o.Cookie, o.Attributes = cookie.Value, cookie.Attributes
		}
	}
	return outcomes
}

// njsDriver follows the router in main.mjs: it reads the visits and writes what becomes of them.
//
//go:embed testdata/driver.js
var njsDriver string

// njsCloudFront is the module that the runtime of CloudFront offers.
//
//go:embed testdata/cloudfront.js
var njsCloudFront string

func runNJS(t *testing.T, visits []visit) []outcome {
	t.Helper()
	binary, err := exec.LookPath("njs")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("njs is missing: install the Debian package njs, it checks the router in CloudFront's dialect")
		}
		t.Skip("njs is missing (Debian package njs): the router is not checked in CloudFront's dialect")
	}
	// It collects no garbage, so a long run is a slow one.
	var outcomes []outcome
	for batch := range slices.Chunk(visits, 1000) {
		outcomes = append(outcomes, runNJSBatch(t, binary, batch)...)
	}
	return outcomes
}

func runNJSBatch(t *testing.T, binary string, visits []visit) []outcome {
	t.Helper()
	input, err := json.Marshal(visits)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := map[string]string{"cloudfront": njsCloudFront, "main.mjs": edge.Router + njsDriver, "visits.json": string(input)}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command(binary, "-p", dir, "main.mjs")
	command.Dir = dir
	printed, err := command.CombinedOutput()
	if err != nil || len(printed) > 0 {
		t.Fatalf("njs: %v\n%s", err, printed)
	}
	output, err := os.ReadFile(filepath.Join(dir, "outcomes.json"))
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []outcome
	if err := json.Unmarshal(output, &outcomes); err != nil || len(outcomes) != len(visits) {
		t.Fatalf("njs wrote %d outcomes for %d visits: %v", len(outcomes), len(visits), err)
	}
	return outcomes
}
