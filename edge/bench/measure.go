package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// kind is a kind of event whose instructions are counted, with the route that the store holds.
type kind struct {
	name  string
	event map[string]any
	route string
}

const route = `{"active":"b","fallback":"a","weight":5000,"release":"v2","preview":""}`

func value(v string) map[string]any { return map[string]any{"value": v} }

// kinds are the usual events. All but the first document are those of a viewer with a cookie. The
// response is the most expensive one: it moves the viewer.
func kinds() []kind {
	event := func(eventType, uri, destination string) map[string]any {
		return map[string]any{
			"context": map[string]any{
				"eventType": eventType,
				"requestId": "EXAMPLEntjQpEXAMPLE_SG5Z-EXAMPLEPmPfEXAMPLEu3EqEXAMPLE==",
			},
			"request": map[string]any{
				"method": "GET", "uri": uri, "querystring": map[string]any{},
				"headers": map[string]any{"sec-fetch-dest": value(destination)},
				"cookies": map[string]any{
					"lockstep": value("a.carolcarol03"), "environment": value("a"),
				},
			},
		}
	}
	response := event("viewer-response", "/products", "document")
	response["response"] = map[string]any{
		"statusCode": 200,
		"headers":    map[string]any{"x-amz-meta-lockstep-env": value("b")},
		"cookies":    map[string]any{},
	}

	first := event("viewer-request", "/products", "document")
	first["request"].(map[string]any)["cookies"] = map[string]any{}

	return []kind{
		{"document", event("viewer-request", "/products", "document"), route},
		{"first document", first, route},
		{"asset", event("viewer-request", "/assets/app.1f3c.js", "script"), route},
		{"response", response, route},
	}
}

// hostile are the most expensive events within CloudFront's limits: a request has 20,480 bytes, of
// which the URL has 8,192, and the route fills the store's value of 1 KB. They make the router
// search the path for its last dot and slash and Accept for text/html, and hash two wrong secrets
// of a tester and the viewer's id with a release of 800 characters.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html
func hostile() []kind {
	padding := func(n int) string { return strings.Repeat("x", n) }
	secret := padding(64)

	kinds := kinds()
	for _, k := range kinds {
		request := k.event["request"].(map[string]any)
		request["uri"] = "/x." + padding(8_189)
		request["querystring"] = map[string]any{"lockstep-preview": value(secret)}
		headers := map[string]any{"accept": value(padding(12_000) + "text/html")}

		cookies := map[string]any{"lockstep": value("a.carolcarol03." + secret)}
		for n := range 100 {
			headers[fmt.Sprint("x-", n)] = value(padding(20))
			cookies[fmt.Sprint("c", n)] = value(padding(20))
		}

		if k.name == "asset" {
			headers = map[string]any{"sec-fetch-dest": value("image")}
		}

		request["headers"], request["cookies"] = headers, cookies
	}

	filled := fmt.Sprintf(`{"active":"b","fallback":"a","weight":1,"release":%q,"preview":%q}`,
		padding(800), padding(64))
	for i := range kinds {
		kinds[i].route = filled
	}

	return kinds
}

//go:embed designs
var designs embed.FS

func design(name string) string {
	source, err := designs.ReadFile("designs/" + name + ".js")
	if err != nil {
		panic(err) // it is embedded
	}

	return string(source)
}

// loop calls the handler a number of times with one event, whose uri is reset before each call.
const loop = `
const shared = %s;
const sharedURI = shared.request.uri;
async function bench() {
  for (let n = 0; n < %d; n++) {
    shared.request.uri = sharedURI;
    const answer = await handler(shared);
  }
}
bench();
`

// perRequest is how many instructions a handler takes for a request under njs. It is the difference
// between two runs of few and of many requests, so that the start of njs does not count.
func perRequest(handler string, k kind, few, many int) (float64, error) {
	least, err := instructions(handler, k, few)
	if err != nil {
		return 0, err
	}

	most, err := instructions(handler, k, many)

	return float64(most-least) / float64(many-few), err
}

var collected = regexp.MustCompile(`Collected : (\d+)`)

func instructions(handler string, k kind, requests int) (int, error) {
	dir, err := os.MkdirTemp("", "edge-bench-")
	if err != nil {
		return 0, fmt.Errorf("make a folder for njs: %w", err)
	}
	defer os.RemoveAll(dir)

	event, err := json.Marshal(k.event)
	if err != nil {
		return 0, fmt.Errorf("encode the event of the %s: %w", k.name, err)
	}

	main := handler + fmt.Sprintf(loop, event, requests)
	files := map[string]string{
		"main.mjs":   main,
		"cloudfront": strings.Replace(design("cloudfront"), "ROUTE", k.route, 1),
	}

	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return 0, fmt.Errorf("write %s for njs: %w", name, err)
		}
	}

	command := exec.Command("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "njs",
		"-p", ".", "main.mjs")
	command.Dir = dir

	output, err := command.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("count the instructions of njs (Debian packages njs and valgrind): %w\n%s",
			err, output)
	}

	count := collected.FindSubmatch(output)
	if count == nil {
		return 0, fmt.Errorf("count the instructions of njs: callgrind printed no total:\n%s", output)
	}

	return strconv.Atoi(string(count[1]))
}
