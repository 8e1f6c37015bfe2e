package edge_test

import (
	"strings"
	"testing"

	"lockstep/edge"
	"lockstep/infra/local/front"
)

// configured runs one document request through a function that is built with options.
func configured(t *testing.T, o edge.Options, uri string) (asked front.Request,
	cookies front.Cookies, origin string) {
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

	return *result.Request, answered.Response.Cookies, result.Origins[0]
}

func TestCloudFront_CookieDomain(t *testing.T) {
	_, cookies, _ := configured(t, edge.Options{CookieDomain: "shop.example.com"}, "/")
	if got, want := cookies["lockstep"].Attributes, "Domain=shop.example.com; "+
		attributes; got != want {
		t.Errorf("the cookie has %q, expected %q", got, want)
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
	if _, cookies, origin := configured(t, edge.Options{LastResort: "b"}, "/"); origin != "site-b" ||
		cookies["lockstep"].Value[0] != 'b' {
		t.Errorf("without a route a new viewer goes to %s with %v, expected b", origin, cookies)
	}
}

func TestCloudFront_RefusesBadOptions(t *testing.T) {
	for want, options := range map[string]edge.Options{
		`cookie domain: found "x; Secure"`: {CookieDomain: "x; Secure"},
		`cookie domain: found "com"`:       {CookieDomain: "com"},
		`cookie name: found "a=b"`:         {CookieName: "a=b"},
		`last resort: found "c"`:           {LastResort: "c"},
	} {
		if _, err := edge.CloudFront(options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, expected an error with %q", options, err, want)
		}
	}
}

// A cookie for a whole domain comes to every application on it: with a name of its own none takes
// another's for its.
func TestCloudFront_CookieName(t *testing.T) {
	options := edge.Options{CookieDomain: "example.com", CookieName: "lockstep-shop"}

	asked, cookies, _ := configured(t, options, "/")
	if asked.Headers["x-lockstep-env"].Value != "a" || len(cookies) != 1 ||
		cookies["lockstep-shop"].Value != "a.EXAMPLEntjQp" {
		t.Errorf("set the cookies %v, expected lockstep-shop", cookies)
	}

	source, err := edge.CloudFront(options)
	if err != nil {
		t.Fatal(err)
	}

	function, err := front.NewFunction(source)
	if err != nil {
		t.Fatal(err)
	}

	event := request(requestID, "/assets/app.js", map[string]string{"sec-fetch-dest": "script"}, nil)

	event.Request.Cookies["lockstep"], event.Request.Cookies["lockstep-shop"] = front.Cookie{Value: "a.alicealice01"}, front.Cookie{Value: "b.alicealice01"}
	if got, err := function.Run(event, nil); err != nil || got.Origins[0] != "site-b" {
		t.Errorf("with another application's cookie an asset is asked of %v, %v; expected b, as its own says", got.Origins, err)
	}

	if module, err := edge.LambdaEdge(options, "eu-west-1", "route"); err != nil ||
		strings.Contains(module, "cookies.lockstep") || strings.Contains(module, "{ lockstep:") {
		t.Errorf("the module of Lambda@Edge still has the cookie lockstep: %v", err)
	}
}

func TestLambdaEdge_BakesItsConstantsIn(t *testing.T) {
	module, err := edge.LambdaEdge(edge.Options{SinglePage: true}, "eu-north-1",
		"arn:aws:s3:eu-north-1:123456789012:accesspoint/lockstep-shop")
	if err != nil {
		t.Fatal(err)
	}

	for _, want := range []string{"const pages = 'single'", "const region = 'eu-north-1'",
		"const routeAccess = 'arn:aws:s3:eu-north-1:123456789012:accesspoint/lockstep-shop'"} {
		if strings.Count(module, want) != 1 {
			t.Errorf("found %s %d times, expected once", want, strings.Count(module, want))
		}
	}

	if strings.Contains(module, "cloudfront'") || strings.Contains(module, "process.env") {
		t.Error("it wants what Lambda@Edge does not have")
	}

	if _, err := edge.LambdaEdge(edge.Options{}, "it's", "s"); err == nil {
		t.Error("a quote was taken into a string")
	}
}
