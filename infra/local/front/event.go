package front

import "lockstep/statemachine"

// Event is what CloudFront hands to a function: the structure of version 1.0, as documented.
type Event struct {
	Version  string       `json:"version"`
	Context  EventContext `json:"context"`
	Viewer   EventViewer  `json:"viewer"`
	Request  Request      `json:"request"`
	Response *Response    `json:"response,omitempty"`
}

// EventContext says which distribution, event and request a function is called for.
type EventContext struct {
	DistributionDomainName string `json:"distributionDomainName"`
	DistributionID         string `json:"distributionId"`
	EventType              string `json:"eventType"`
	RequestID              string `json:"requestId"`
}

// EventViewer says who asks.
type EventViewer struct {
	IP string `json:"ip"`
}

// Request is the request of an event. Cookies are never among the headers, and names of headers
// are in lower case.
type Request struct {
	Method      string  `json:"method"`
	URI         string  `json:"uri"`
	QueryString Values  `json:"querystring"`
	Headers     Values  `json:"headers"`
	Cookies     Cookies `json:"cookies"`
}

// Response is the response of an event, or one that a function makes itself.
type Response struct {
	StatusCode        int     `json:"statusCode"`
	StatusDescription string  `json:"statusDescription,omitempty"`
	Headers           Values  `json:"headers"`
	Cookies           Cookies `json:"cookies"`
}

// Values holds headers or query parameters. Where one is repeated, Value is the first and
// MultiValue has all.
type Values map[string]Value

// Value is a header or a query parameter.
type Value struct {
	Value      string  `json:"value"`
	MultiValue []Value `json:"multiValue,omitempty"`
}

// Cookies holds cookies by name.
type Cookies map[string]Cookie

// Cookie is a cookie; Attributes are of Set-Cookie.
type Cookie struct {
	Value      string   `json:"value"`
	Attributes string   `json:"attributes,omitempty"`
	MultiValue []Cookie `json:"multiValue,omitempty"`
}

const (
	viewerRequest  = "viewer-request"
	viewerResponse = "viewer-response"
)

// add appends a value under a name, as CloudFront does with one that is repeated.
func (v Values) add(name, value string) {
	first, repeated := v[name]
	if !repeated {
		v[name] = Value{Value: value}
		return
	}

	if first.MultiValue == nil {
		first.MultiValue = []Value{{Value: first.Value}}
	}

	first.MultiValue = append(first.MultiValue, Value{Value: value})
	v[name] = first
}

// all lists the values of a name.
func (v Value) all() []string {
	if len(v.MultiValue) == 0 {
		return []string{v.Value}
	}

	var values []string
	for _, one := range v.MultiValue {
		values = append(values, one.Value)
	}

	return values
}

// OriginID is the id under which the distribution knows the site bucket of an environment.
func OriginID(e statemachine.Environment) string { return "site-" + string(e) }
