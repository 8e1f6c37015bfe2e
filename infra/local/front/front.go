// Package front stands in for the CloudFront distribution and for the API Gateway stages behind it.
// The behaviour of the site runs edge/router.js as it is built for CloudFront. The behaviours
// /api-a/* and /api-b/* are the stages of a REST API with Lambda proxy integrations.
package front

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"net"
	"net/http"
	"strconv"
	"strings"

	"lockstep/edge"
	"lockstep/statemachine"
)

// LocationHeader is a request header with the number of the viewer's edge location. Without it the
// location is chosen by the viewer's address and User-Agent.
const LocationHeader = "X-Edge-Location"

// Options connect the front to the edge's store, the site buckets and the API.
type Options struct {
	// Locations is how many edge locations there are, each with its own view of the route. The default
	// is 3.
	Locations int
	// SinglePage is edge.Options.SinglePage.
	SinglePage bool
	// Route reads the key-value store as an edge location sees it at present.
	Route func(location int, key string) (value string, ok bool)
	// Object reads an object of a site bucket.
	Object func(e statemachine.Environment, key string) (Object, bool)

	// API is the id of the REST API. Functions has the Lambda function of each resource; a resource
	// such as "/orders" also serves the paths below it.
	API       string
	Functions map[string]string
	// Stage reads the variables of an environment's stage. It is called for every request.
	Stage func(e statemachine.Environment) (variables map[string]string, ok bool)
	// Invoke calls a function by the ARN of its alias, for the method of the API with the ARN source.
	// err is a refusal: the alias does not exist, or its policy does not allow the call.
	Invoke func(ctx context.Context, source, function string, payload []byte) (
		result []byte, functionError string, err error)
	// Record is called with the metrics of each request to a stage: Count, 4XXError and 5XXError (0 or
	// 1), and Latency in milliseconds.
	Record func(metric, stage string, value float64)

	// RequestID makes the ids of requests, from which the router cuts the ids of new viewers. The
	// default makes random ones.
	RequestID func() string
}

// Object is an object of a site bucket. The names in Metadata have no prefix x-amz-meta-. ETag
// includes its quotes.
type Object struct {
	Body         []byte
	ContentType  string
	CacheControl string
	ETag         string
	Metadata     map[string]string
}

type distribution struct {
	Options
	function *Function
}

// New makes the front. It panics if the router cannot be loaded, which is a bug.
func New(options Options) http.Handler {
	source, err := edge.CloudFront(edge.Options{SinglePage: options.SinglePage})
	if err != nil {
		panic(err)
	}

	function, err := NewFunction(source)
	if err != nil {
		panic(err)
	}

	if options.Locations == 0 {
		options.Locations = 3
	}

	if options.RequestID == nil {
		options.RequestID = randomRequestID
	}

	return &distribution{options, function}
}

func (d *distribution) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := visit{requestID: d.RequestID(), location: d.location(r), ip: clientIP(r)}

	w.Header().Set("Via", "1.1 lockstep.local (CloudFront)")
	w.Header().Set("X-Amz-Cf-Id", v.requestID)
	w.Header().Set("X-Amz-Cf-Pop", fmt.Sprintf("LOC%d", v.location))

	for _, e := range statemachine.Environments() {
		if rest, ok := strings.CutPrefix(r.URL.Path, "/"+e.Stage()+"/"); ok {
			d.serveAPI(w, r, v, e, "/"+rest)
			return
		}
	}

	d.serveSite(w, r, v)
}

// visit is what the distribution knows about a request.
type visit struct {
	requestID string
	location  int
	ip        string
}

// location sends a viewer to the same edge location each time, as the network usually does.
func (d *distribution) location(r *http.Request) int {
	if n, err := strconv.Atoi(r.Header.Get(LocationHeader)); err == nil && n >= 0 {
		return n % d.Locations
	}

	hash := fnv.New32a()
	fmt.Fprint(hash, clientIP(r), r.UserAgent())

	return int(hash.Sum32() % uint32(d.Locations))
}

func clientIP(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}

	return "127.0.0.1" // a request in process has no address
}

// randomRequestID makes an id like CloudFront's: 56 characters of base64.
func randomRequestID() string {
	var id [40]byte

	_, _ = rand.Read(id[:]) // never fails

	return base64.URLEncoding.EncodeToString(id[:])
}
