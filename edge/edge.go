// Package edge holds the router that decides, for every request in the world, which environment
// answers. It is written in the dialect that CloudFront Functions run; Go embeds the file, fills
// in what a distribution configures and takes the comments out, so that what is deployed, what
// runs on one machine and what is tested are the same bytes.
package edge

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// Router is the source of the handler for both viewer-request and viewer-response, as it is
// written.
//
//go:embed router.js
var Router string

// lambdaEdge stands behind Router where a distribution runs Lambda@Edge.
//
//go:embed lambda-edge.js
var lambdaEdge string

// Options are what a distribution configures. The zero value has a folder for every page, and a
// cookie for the host that set it.
type Options struct {
	// CookieDomain widens the cookie to a domain and all below it, such as example.com.
	CookieDomain string
	// CookieName is that of the cookie; lockstep where it is empty.
	CookieName string
	// SinglePage answers every path without a file name with the one /index.html.
	SinglePage bool
	// LastResort is the environment whose origin the behaviour names; a where it is empty.
	LastResort string
}

// CloudFront builds the CloudFront Function (cloudfront-js-2.0).
func CloudFront(o Options) (string, error) {
	source, err := configure(Router, o)
	if err != nil {
		return "", err
	}

	return minify(source)
}

// LambdaEdge builds the module (index.mjs, Node) whose exports viewerRequest, originRequest and
// viewerResponse are the handlers of Lambda@Edge, and serve that of all three. They read the route
// in region, at the access point whose ARN (or bucket, whose name) routeAccess is.
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

var domainName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$`)

var (
	cookieName = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
	ownCookie  = regexp.MustCompile(`(\bcookies)\.lockstep\b`)
)

func configure(source string, o Options) (string, error) {
	if o.CookieDomain != "" {
		if !domainName.MatchString(o.CookieDomain) {
			return "", fmt.Errorf("build the router: cookie domain: found %q, expected a domain name like "+
				"example.com", o.CookieDomain)
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

// fill gives constants of a source their values; empty ones stay as they are written.
func fill(source string, constants map[string]string) (string, error) {
	for name, value := range constants {
		line := regexp.MustCompile(`(?m)^(const ` + name + ` = ')[^']*(';)`)
		if found := len(line.FindAllString(source, -1)); found != 1 {
			return "", fmt.Errorf("fill in %s: found %d lines of that constant, expected one", name, found)
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

// minify makes names short and takes out comments and spaces. The syntax stays as it is written:
// shorter forms of it are not of CloudFront's dialect. A function of CloudFront is known by the
// name handler.
func minify(source string) (string, error) {
	result := api.Transform(source+"\nexport { handler };", api.TransformOptions{
		Sourcefile: "router.js", Loader: api.LoaderJS, MinifyWhitespace: true, MinifyIdentifiers: true, TreeShaking: api.TreeShakingFalse,
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
