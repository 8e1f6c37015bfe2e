package front

import "lockstep/statemachine"

// Event is the event that CloudFront passes to a function, in the documented structure of version
// 1.0:
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-event-structure.html
type Event struct {
	Version  string       `json:"version"`
	Context  EventContext `json:"context"`
	Viewer   EventViewer  `json:"viewer"`
	Request  Request      `json:"request"`
	Response *Response    `json:"response,omitempty"`
}

// EventContext names the distribution, the kind of event and the request.
type EventContext struct {
	DistributionDomainName string `json:"distributionDomainName"`
	DistributionID         string `json:"distributionId"`
	EventType              string `json:"eventType"`
	RequestID              string `json:"requestId"`
}

// EventViewer identifies the viewer.
type EventViewer struct {
	IP string `json:"ip"`
}

// Request is the request of an event. Headers have names in lower case and do not include cookies.
type Request struct {
	Method      string  `json:"method"`
	URI         string  `json:"uri"`
	QueryString Values  `json:"querystring"`
	Headers     Values  `json:"headers"`
	Cookies     Cookies `json:"cookies"`
}

// Response is the response of an event, or a response that a function returns.
type Response struct {
	StatusCode        int     `json:"statusCode"`
	StatusDescription string  `json:"statusDescription,omitempty"`
	Headers           Values  `json:"headers"`
	Cookies           Cookies `json:"cookies"`
}

// Values has headers or query parameters by name. If one is repeated, Value is the first and
// MultiValue has all of them.
type Values map[string]Value

// Value is a header or a query parameter.
type Value struct {
	Value      string  `json:"value"`
	MultiValue []Value `json:"multiValue,omitempty"`
}

// Cookies has cookies by name.
type Cookies map[string]Cookie

// Cookie is a cookie. Attributes are those of Set-Cookie.
type Cookie struct {
	Value      string   `json:"value"`
	Attributes string   `json:"attributes,omitempty"`
	MultiValue []Cookie `json:"multiValue,omitempty"`
}

const (
	viewerRequest  = "viewer-request"
	viewerResponse = "viewer-response"
)

// add adds a value to a name, as CloudFront does with repeated names.
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

// OriginID is the distribution's id for the site bucket of an environment.
func OriginID(e statemachine.Environment) string { return "site-" + string(e) }
