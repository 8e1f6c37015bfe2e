package front

import (
	"maps"
	"slices"

	"github.com/grafana/sobek"
)

// member is a name and a value of a JavaScript object.
type member struct {
	name  string
	value any
}

// object makes a plain object, like JSON.parse: functions must not see Go values.
func (r *runtime) object(members ...member) *sobek.Object {
	object := r.vm.NewObject()
	for _, m := range members {
		_ = object.Set(m.name, m.value) // fails only if an object is frozen or has setters
	}

	return object
}

// event makes the argument of a function. The members have the names and the order of the JSON.
func (r *runtime) event(e Event) *sobek.Object {
	event := r.object(
		member{"version", e.Version},
		member{"context", r.object(
			member{"distributionDomainName", e.Context.DistributionDomainName},
			member{"distributionId", e.Context.DistributionID},
			member{"eventType", e.Context.EventType},
			member{"requestId", e.Context.RequestID},
		)},
		member{"viewer", r.object(member{"ip", e.Viewer.IP})},
		member{"request", r.object(
			member{"method", e.Request.Method},
			member{"uri", e.Request.URI},
			member{"querystring", r.values(e.Request.QueryString)},
			member{"headers", r.values(e.Request.Headers)},
			member{"cookies", r.cookies(e.Request.Cookies)},
		)},
	)
	if e.Response == nil {
		return event
	}

	response := r.object(member{"statusCode", e.Response.StatusCode})
	if e.Response.StatusDescription != "" {
		_ = response.Set("statusDescription", e.Response.StatusDescription)
	}

	_ = response.Set("headers", r.values(e.Response.Headers))
	_ = response.Set("cookies", r.cookies(e.Response.Cookies))
	_ = event.Set("response", response)

	return event
}

func (r *runtime) values(v Values) *sobek.Object {
	return each(r, v, r.value)
}

func (r *runtime) value(v Value) *sobek.Object {
	value := r.object(member{"value", v.Value})
	if len(v.MultiValue) > 0 {
		_ = value.Set("multiValue", list(r, v.MultiValue, r.value))
	}

	return value
}

func (r *runtime) cookies(c Cookies) *sobek.Object {
	return each(r, c, r.cookie)
}

func (r *runtime) cookie(c Cookie) *sobek.Object {
	cookie := r.object(member{"value", c.Value})
	if c.Attributes != "" {
		_ = cookie.Set("attributes", c.Attributes)
	}

	if len(c.MultiValue) > 0 {
		_ = cookie.Set("multiValue", list(r, c.MultiValue, r.cookie))
	}

	return cookie
}

// each makes an object with a member for every name. It defines the members, since an assignment to
// __proto__ would set the prototype.
func each[M ~map[string]V, V any](r *runtime, of M, make func(V) *sobek.Object) *sobek.Object {
	object := r.vm.NewObject()
	for _, name := range slices.Sorted(maps.Keys(of)) {
		_ = object.DefineDataProperty(name, make(of[name]), sobek.FLAG_TRUE, sobek.FLAG_TRUE,
			sobek.FLAG_TRUE)
	}

	return object
}

func list[V any](r *runtime, of []V, make func(V) *sobek.Object) *sobek.Object {
	array := []any{}
	for _, one := range of {
		array = append(array, make(one))
	}

	return r.vm.NewArray(array...)
}
