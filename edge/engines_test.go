package edge_test

import (
	_ "embed"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"lockstep/edge"
	"lockstep/infra/local/front"
)

// engines must all agree with the rule in Go: the engine of infra/local, njs, which has
// CloudFront's dialect, and Node with the modules of Lambda@Edge.
func engines() map[string]func(*testing.T, []visit) []outcome {
	return map[string]func(*testing.T, []visit) []outcome{"rule": runRule, "sobek": runSobek,
		"njs": runNJS, "lambda": runLambda}
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

	function, err := front.NewFunction(shipped(t))
	if err != nil {
		t.Fatal(err)
	}

	outcomes := make([]outcome, len(visits))
	for i, v := range visits {
		if outcomes[i], err = outcomeOf(function, v); err != nil {
			t.Fatalf("%+v: %v", v, err)
		}
	}

	return outcomes
}

// outcomeOf plays one visit through the function of infra/local.
func outcomeOf(function *front.Function, v visit) (o outcome, err error) {
	read := func(key string) (string, bool) {
		o.Reads++

		if v.Route == nil || key != "route" {
			return "", false
		}

		return *v.Route, true
	}

	asked, err := function.Run(v.Event, read)
	if err != nil {
		return o, err
	}

	if asked.Response != nil {
		cookie := asked.Response.Cookies["lockstep"]
		o.Redirect = asked.Response.StatusCode == 302 && asked.Response.Headers["location"].Value == "?"
		o.Cookie, o.Attributes = cookie.Value, cookie.Attributes

		return o, nil
	}

	o.Environment = asked.Origins[0][len("site-"):]
	o.Failover = len(asked.Origins) == 2 && asked.Origins[0] != asked.Origins[1]
	o.Header = asked.Request.Headers["x-lockstep-env"].Value
	o.URI = asked.Request.URI
	_, o.Validators = asked.Request.Headers["if-none-match"]

	served := o.Environment
	if v.Served != nil {
		served = *v.Served
	}

	reads := o.Reads
	// Whether viewer-response sees the request as it came or as viewer-request left it is not known.
	for i, request := range []front.Request{v.Event.Request, *asked.Request} {
		event := v.Event
		event.Context.EventType = "viewer-response"
		event.Request = request

		event.Response = &front.Response{StatusCode: 200, Headers: front.Values{},
			Cookies: front.Cookies{}}
		if served != "" {
			event.Response.Headers["x-amz-meta-lockstep-env"] = front.Value{Value: served}
		}

		answered, err := function.Run(event, read)
		if err != nil {
			return o, err
		}

		if o.Reads != reads {
			return o, errors.New("viewer-response reads the store")
		}

		cookie := answered.Response.Cookies["lockstep"]

		_, outdated := answered.Response.Headers["x-lockstep-outdated"]
		if i > 0 && (o.Cookie != cookie.Value || o.Outdated != outdated) {
			return o, errors.New("viewer-response depends on what viewer-request did")
		}

		o.Cookie, o.Attributes, o.Outdated = cookie.Value, cookie.Attributes, outdated
	}

	return o, nil
}

// njsDriver is appended to the router in main.mjs. It reads the visits and writes their outcomes.
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
		files := map[string]string{"cloudfront": njsCloudFront, "main.mjs": shipped(t) + njsDriver}
		outcomes = append(outcomes, runScript(t, batch, files, binary, "-p", ".", "main.mjs")...)
	}

	return outcomes
}

// nodeDriver follows the module of Lambda@Edge.
//
//go:embed testdata/lambda.js
var nodeDriver string

func runLambda(t *testing.T, visits []visit) []outcome {
	t.Helper()
	node, module := lambdaEdge(t)

	return runScript(t, visits, map[string]string{"index.mjs": module, "main.mjs": nodeDriver}, node,
		"main.mjs")
}

// lambdaEdge is the module of Lambda@Edge, and the Node that runs it.
func lambdaEdge(t *testing.T) (node, module string) {
	t.Helper()

	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("node is missing: it runs the router as Lambda@Edge does")
		}

		t.Skip("node is missing: the router is not checked as Lambda@Edge runs it")
	}

	module, err = edge.LambdaEdge(edge.Options{}, "eu-west-1",
		"arn:aws:s3:eu-west-1:123456789012:accesspoint/lockstep-shop")
	if err != nil {
		t.Fatal(err)
	}

	return node, module
}

// runScript passes visits to a script and returns their outcomes.
func runScript(t *testing.T, visits []visit, files map[string]string, binary string,
	arguments ...string) []outcome {
	t.Helper()

	input, err := json.Marshal(visits)
	if err != nil {
		t.Fatal(err)
	}

	dir := t.TempDir()

	files["visits.json"] = string(input)
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	command := exec.Command(binary, arguments...)
	command.Dir = dir

	printed, err := command.CombinedOutput()
	if err != nil || len(printed) > 0 {
		t.Fatalf("%s: %v\n%s", command, err, printed)
	}

	output, err := os.ReadFile(filepath.Join(dir, "outcomes.json"))
	if err != nil {
		t.Fatal(err)
	}

	var outcomes []outcome
	if err := json.Unmarshal(output, &outcomes); err != nil || len(outcomes) != len(visits) {
		t.Fatalf("%s wrote %d outcomes for %d visits: %v", command, len(outcomes), len(visits), err)
	}

	return outcomes
}

//go:embed testdata/lambda-cache.js
var cacheScript string

func TestLambdaEdge_KeepsTheRouteForSeconds(t *testing.T) { asserts(t, cacheScript) }

//go:embed testdata/lambda-limits.js
var limitsScript string

func TestLambdaEdge_WorkIsBounded(t *testing.T) { asserts(t, limitsScript) }

// asserts runs a script that imports the module of Lambda@Edge, and asserts itself.
func asserts(t *testing.T, script string) {
	t.Helper()
	node, module := lambdaEdge(t)

	dir := t.TempDir()
	for name, content := range map[string]string{"index.mjs": module, "main.mjs": script} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	command := exec.Command(node, "main.mjs")

	command.Dir = dir
	if printed, err := command.CombinedOutput(); err != nil || len(printed) > 0 {
		t.Fatalf("%v\n%s", err, printed)
	}
}
