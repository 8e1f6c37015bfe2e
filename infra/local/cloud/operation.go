package cloud

import (
	"net/http"
	"strings"

	"lockstep/infra/local/cloud/wire"
)

// operationOf names the operation of a request. It asks the service itself, or reads the header or
// the path of the RPC protocols, or matches the paths of a REST service.
func operationOf(name string, service http.Handler, r *http.Request) string {
	if named, ok := service.(interface{ Operation(*http.Request) string }); ok {
		return named.Operation(r)
	}

	if operation := wire.Operation(r); operation != "" {
		return operation
	}

	if _, operation, ok := strings.Cut(r.URL.Path, "/operation/"); ok {
		return operation
	}

	if mux, ok := rest[name]; ok {
		if handler, _ := mux.Handler(r); handler != nil {
			if operation, ok := handler.(operationName); ok {
				return string(operation)
			}
		}
	}

	return r.Method + " " + r.URL.Path
}

// operationName is an operation. It is a handler so that a ServeMux can find it by the path.
type operationName string

func (operationName) ServeHTTP(http.ResponseWriter, *http.Request) {}

// rest has the operations of the REST services, by service.
var rest = map[string]*http.ServeMux{
	"lambda": muxOf(map[string]operationName{
		"GET /2015-03-31/functions":                        "ListFunctions",
		"GET /2015-03-31/functions/{$}":                    "ListFunctions",
		"GET /2015-03-31/functions/{name}":                 "GetFunction",
		"DELETE /2015-03-31/functions/{name}":              "DeleteFunction",
		"GET /2015-03-31/functions/{name}/configuration":   "GetFunctionConfiguration",
		"PUT /2015-03-31/functions/{name}/code":            "UpdateFunctionCode",
		"GET /2015-03-31/functions/{name}/versions":        "ListVersionsByFunction",
		"POST /2015-03-31/functions/{name}/versions":       "PublishVersion",
		"GET /2015-03-31/functions/{name}/aliases":         "ListAliases",
		"POST /2015-03-31/functions/{name}/aliases":        "CreateAlias",
		"GET /2015-03-31/functions/{name}/aliases/{alias}": "GetAlias",
		"PUT /2015-03-31/functions/{name}/aliases/{alias}": "UpdateAlias",
		"POST /2015-03-31/functions/{name}/policy":         "AddPermission",
		"POST /2015-03-31/functions/{name}/invocations":    "Invoke",
	}),
	"scheduler": muxOf(map[string]operationName{
		"GET /schedules":           "ListSchedules",
		"POST /schedules/{name}":   "CreateSchedule",
		"PUT /schedules/{name}":    "UpdateSchedule",
		"GET /schedules/{name}":    "GetSchedule",
		"DELETE /schedules/{name}": "DeleteSchedule",
	}),
}

func muxOf(names map[string]operationName) *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, name := range names {
		mux.Handle(pattern, name)
	}

	return mux
}
