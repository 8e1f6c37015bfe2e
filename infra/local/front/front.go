// Package front is the distribution and the API on one machine: what a viewer's request meets
// first. The site's behaviour runs edge/router.js as it is built for CloudFront; the behaviours
// /api-a/* and /api-b/* are the stages of a REST API whose integrations are Lambda proxies.
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

// LocationHeader names the edge location that a viewer is near to; without it one is chosen by who
// asks.
const LocationHeader = "X-Edge-Location"

// Options are the front's links to what stands behind it.
type Options struct {
	// Locations is how many edge locations there are, each with its own view of the route; 3 where not
	// given.
	Locations int
	// SinglePage is how the router finds a site's pages.
	SinglePage bool
	// Route reads the key-value store as an edge location sees it now.
	Route func(location int, key string) (value string, ok bool)
	// Object reads a site bucket.
	Object func(e statemachine.Environment, key string) (Object, bool)

	// API is the id of the REST API, and Functions the Lambda behind each of its resources: "/orders"
	// takes what lies below it too.
	API       string
	Functions map[string]string
	// Stage reads the variables of an environment's stage, for every request anew.
	Stage func(e statemachine.Environment) (variables map[string]string, ok bool)
	// Invoke calls a function by the ARN of its alias, for the method of the API with the ARN source.
	// Its error is a refusal: there is no such alias, or it may not be called for that method.
	Invoke func(ctx context.Context, source, function string, payload []byte) (
		result []byte, functionError string, err error)
	// Record takes the metrics of a stage: Count, 4XXError, 5XXError (0 or 1 for each request) and
	// Latency.
	Record func(metric, stage string, value float64)

	// RequestID makes the ids of requests; random where not given. A new viewer's id is cut from it.
	RequestID func() string
}

// Object is an object of a site bucket. Metadata is without the prefix x-amz-meta-; ETag has its
// quotes.
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

// New makes the front. It panics if the router cannot be loaded, which is a mistake in the program.
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

// visit is what the distribution knows of a request.
type visit struct {
	requestID string
	location  int
	ip        string
}

// location keeps a viewer with one edge location, as the network mostly does.
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

	return "127.0.0.1" // in process there is no address
}

// randomRequestID looks like CloudFront's: 56 characters of base64.
func randomRequestID() string {
	var id [40]byte

	_, _ = rand.Read(id[:]) // never fails

	return base64.URLEncoding.EncodeToString(id[:])
}
