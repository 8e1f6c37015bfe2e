package edge_test

import (
	"strings"
	"testing"

	"lockstep/edge"
	"lockstep/infra/local/front"
)

// configured runs one document request through a function that is built with options.
func configured(t *testing.T, o edge.Options, uri string) (asked front.Request, cookie front.Cookie, origin string) {
	t.Helper()
	source, err := edge.CloudFront(o)
	if err != nil {
		t.Fatal(err)
	}
	function, err := front.NewFunction(source)
	if err != nil {
		t.Fatal(err)
	}
	noRoute := func(string) (string, bool) { return "", false }
	event := request(requestID, uri, map[string]string{"sec-fetch-dest": "document"}, nil)
	result, err := function.Run(event, noRoute)
	if err != nil {
		t.Fatal(err)
	}
	event.Context.EventType = "viewer-response"
	event.Response = &front.Response{StatusCode: 200, Cookies: front.Cookies{},
		Headers: front.Values{"x-amz-meta-lockstep-env": {Value: result.Request.Headers["x-lockstep-env"].Value}}}
	answered, err := function.Run(event, noRoute)
	if err != nil {
		t.Fatal(err)
	}
	return *result.Request, answered.Response.Cookies["lockstep"], result.Origins[0]
}

func TestCloudFront_CookieDomain(t *testing.T) {
	_, cookie, _ := configured(t, edge.Options{CookieDomain: "shop.example.com"}, "/")
	if want := "Domain=shop.example.com; " + attributes; cookie.Attributes != want {
		t.Errorf("the cookie has %q, expected %q", cookie.Attributes, want)
	}
}

func TestCloudFront_Pages(t *testing.T) {
	for uri, want := range map[string][2]string{
		"/":                 {"/index.html", "/index.html"},
		"/about":            {"/about/index.html", "/index.html"},
		"/about/":           {"/about/index.html", "/index.html"},
		"/v1.2/about":       {"/v1.2/about/index.html", "/index.html"},
		"/about.html":       {"/about.html", "/about.html"},
		"/.well-known/x.y/": {"/.well-known/x.y/", "/.well-known/x.y/"},
	} {
		for i, single := range []bool{false, true} {
			if asked, _, _ := configured(t, edge.Options{SinglePage: single}, uri); asked.URI != want[i] {
				t.Errorf("single page %v: %s asks for %s, expected %s", single, uri, asked.URI, want[i])
			}
		}
	}
}

func TestCloudFront_LastResort(t *testing.T) {
	if _, cookie, origin := configured(t, edge.Options{LastResort: "b"}, "/"); origin != "site-b" || cookie.Value[0] != 'b' {
		t.Errorf("without a route a new viewer goes to %s with %s, expected b", origin, cookie.Value)
	}
}

func TestCloudFront_RefusesBadOptions(t *testing.T) {
	for want, options := range map[string]edge.Options{
		`cookie domain: found "x; Secure"`: {CookieDomain: "x; Secure"},
		`cookie domain: found "com"`:       {CookieDomain: "com"},
		`last resort: found "c"`:           {LastResort: "c"},
	} {
		if _, err := edge.CloudFront(options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, expected an error with %q", options, err, want)
		}
	}
}

func TestLambdaEdge_BakesItsConstantsIn(t *testing.T) {
	module, err := edge.LambdaEdge(edge.Options{SinglePage: true}, "eu-north-1", "the-state", [2]string{"the-a", "the-b"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"const pages = 'single'", "const region = 'eu-north-1'", "const stateBucket = 'the-state'", "const siteA = 'the-a'", "const siteB = 'the-b'"} {
		if strings.Count(module, want) != 1 {
			t.Errorf("found %s %d times, expected once", want, strings.Count(module, want))
		}
	}
	if strings.Contains(module, "cloudfront'") || strings.Contains(module, "process.env") {
		t.Error("it wants what Lambda@Edge does not have")
	}
	if _, err := edge.LambdaEdge(edge.Options{}, "it's", "s", [2]string{"a", "b"}); err == nil {
		t.Error("a quote was taken into a string")
	}
}
