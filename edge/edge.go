// Package edge holds the router, which decides for every request which environment answers. It is
// written in the JavaScript dialect of CloudFront Functions. This package fills in the
// configuration of a distribution and minifies the result. The same bytes are deployed, run
// locally and tested.
package edge

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// Router is the source of the handler of viewer-request and viewer-response, before the build fills
// in and minifies it.
//
//go:embed router.js
var Router string

// lambdaEdge is appended to Router if a distribution runs Lambda@Edge.
//
//go:embed lambda-edge.js
var lambdaEdge string

// Options are what a distribution configures. With the zero value, a path without a file name is a
// folder with an index.html, and the cookie is for one host.
type Options struct {
	// CookieDomain widens the cookie to a domain and its subdomains, such as example.com.
	CookieDomain string
	// CookieName is the name of the cookie: letters, digits and '-'. The default is lockstep.
	CookieName string
	// SinglePage answers every path without a file name with the one /index.html.
	SinglePage bool
	// LastResort is the environment of the origin that the behaviour names: a, the default, or b.
	LastResort string
}

// CloudFront builds the CloudFront Function (cloudfront-js-2.0). An invalid option is an error that
// names it.
func CloudFront(o Options) (string, error) {
	source, err := configure(Router, o)
	if err != nil {
		return "", err
	}

	return minify(source)
}

// LambdaEdge builds the module for Lambda@Edge (index.mjs, Node). Its export serve is the handler
// of viewer-request, origin-request and viewer-response. It reads the route from S3 in region;
// routeAccess is the ARN of an access point, or the name of a bucket.
func LambdaEdge(o Options, region, routeAccess string) (string, error) {
	router, err := configure(Router, o)
	if err != nil {
		return "", err
	}

	behind, err := fill(lambdaEdge, map[string]string{"region": region, "routeAccess": routeAccess})
	if err != nil {
		return "", err
	}

	return strings.Replace(router, "import cf from 'cloudfront';\n", "", 1) + "\n" + behind, nil
}

var (
	domainName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$`)
	cookieName = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
	ownCookie  = regexp.MustCompile(`(\bcookies)\.lockstep\b`)
)

func configure(source string, o Options) (string, error) {
	if o.CookieDomain != "" {
		if !domainName.MatchString(o.CookieDomain) {
			return "", fmt.Errorf("build the router: cookie domain: found %q, "+
				"expected a domain name like example.com", o.CookieDomain)
		}

		source = strings.Replace(source, "'Path=/;", "'Domain="+o.CookieDomain+"; Path=/;", 1)
	}

	if o.CookieName != "" {
		if !cookieName.MatchString(o.CookieName) {
			return "", fmt.Errorf(
				"build the router: cookie name: found %q, expected letters, digits and '-'", o.CookieName)
		}

		source = ownCookie.ReplaceAllString(source, "${1}['"+o.CookieName+"']")
		source = strings.ReplaceAll(source, "{ lockstep: ", "{ '"+o.CookieName+"': ")
	}

	switch o.LastResort {
	case "", "a", "b":
	default:
		return "", fmt.Errorf("build the router: last resort: found %q, expected a or b", o.LastResort)
	}

	constants := map[string]string{"lastResort": o.LastResort}
	if o.SinglePage {
		constants["pages"] = "single"
	}

	return fill(source, constants)
}

// fill sets the values of constants in a source. A constant whose value is empty stays as it is.
func fill(source string, constants map[string]string) (string, error) {
	for name, value := range constants {
		line := regexp.MustCompile(`(?m)^(const ` + name + ` = ')[^']*(';)`)
		if found := len(line.FindAllString(source, -1)); found != 1 {
			return "", fmt.Errorf("fill in %s: found %d lines that define it, expected one", name, found)
		}

		if strings.ContainsAny(value, "'\\\n") {
			return "", fmt.Errorf("fill in %s: %q cannot stand in a string", name, value)
		}

		if value != "" {
			source = line.ReplaceAllString(source, "${1}"+value+"${2}")
		}
	}

	return source, nil
}

var exported = regexp.MustCompile(`export\{(\w+) as handler\};?\s*$`)

// minify shortens names and removes comments and spaces. It keeps the syntax, since shorter forms
// of it do not exist in CloudFront's dialect. It keeps the name handler, which CloudFront calls.
func minify(source string) (string, error) {
	result := api.Transform(source+"\nexport { handler };", api.TransformOptions{
		Sourcefile:        "router.js",
		Loader:            api.LoaderJS,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		TreeShaking:       api.TreeShakingFalse,
	})
	if len(result.Errors) > 0 {
		return "", fmt.Errorf("minify the router: %s", result.Errors[0].Text)
	}

	code := string(result.Code)

	name := exported.FindStringSubmatch(code)
	if name == nil {
		return "", errors.New("minify the router: found no export at its end")
	}

	code = exported.ReplaceAllString(code, "")

	return strings.Replace(code, "async function "+name[1]+"(", "async function handler(", 1), nil
}
