package front

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"lockstep/infra/local/cloud/wire"
	"lockstep/statemachine"
)

const (
	integrationTimeout = 29 * time.Second
	payloadLimit       = 10 << 20
)

// answer is the answer of a stage: its own refusal, or the answer of the function.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// refuse makes a refusal in the words of API Gateway.
func refuse(status int, message, kind string) answer {
	body, _ := json.Marshal(map[string]string{"message": message})

	return answer{status, http.Header{
		"Content-Type": {"application/json"}, "X-Amzn-Errortype": {kind},
	}, body}
}

var (
	forbidden  = refuse(http.StatusForbidden, "Forbidden", "ForbiddenException")
	noResource = refuse(http.StatusForbidden, "Missing Authentication Token",
		"MissingAuthenticationTokenException")
	tooLong = refuse(http.StatusRequestEntityTooLarge, "Request Too Long",
		"RequestTooLargeException")
	noIntegration = refuse(http.StatusInternalServerError, "Internal server error",
		"InternalServerErrorException")
	badGateway = refuse(http.StatusBadGateway, "Internal server error",
		"InternalServerErrorException")
	timedOut = refuse(http.StatusGatewayTimeout, "Endpoint request timed out",
		"InternalServerErrorException")
)

// serveAPI serves a stage. Every request is counted, however it ends.
func (d *distribution) serveAPI(
	w http.ResponseWriter, r *http.Request, v visit, e statemachine.Environment, path string,
) {
	start := time.Now()

	variables, ok := d.Stage(e)
	if !ok {
		reply(w, forbidden)
		return
	}

	a := d.callFunction(r, v, e, path, variables)
	d.Record("Count", e.Stage(), 1)
	d.Record("4XXError", e.Stage(), oneIf(a.status/100 == 4))
	d.Record("5XXError", e.Stage(), oneIf(a.status/100 == 5))
	d.Record("Latency", e.Stage(), float64(time.Since(start).Microseconds())/1000)
	reply(w, a)
}

func oneIf(condition bool) float64 {
	if condition {
		return 1
	}

	return 0
}

func reply(w http.ResponseWriter, a answer) {
	for name, values := range a.header {
		w.Header()[name] = values
	}

	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the viewer may have left
}

func (d *distribution) callFunction(
	r *http.Request, v visit, e statemachine.Environment, path string, variables map[string]string,
) answer {
	resource, function := d.resource(path)
	if function == "" {
		return noResource
	}

	body, err := io.ReadAll(io.LimitReader(r.Body, payloadLimit+1))
	if err != nil {
		return badGateway
	}

	if len(body) > payloadLimit {
		return tooLong
	}

	event := d.proxyRequest(r, v, e, resource, path, variables, body)

	payload, err := json.Marshal(event)
	if err != nil {
		return noIntegration
	}

	// The call continues if the viewer leaves.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), integrationTimeout)
	defer cancel()

	arn := wire.ARN("lambda", "function:"+function+":"+variables[statemachine.StageVariableAlias])
	source := wire.ARN("execute-api", d.API+"/"+e.Stage()+"/"+r.Method+resource)

	result, functionError, err := d.Invoke(ctx, source, arn, payload)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return timedOut
	case err != nil:
		return noIntegration
	case functionError != "":
		return badGateway
	}

	return proxyResponse(result)
}

// resource finds the resource of a path and its function, by the longest prefix.
func (d *distribution) resource(path string) (resource, function string) {
	best := ""
	for prefix, name := range d.Functions {
		if len(prefix) < len(best) || path != prefix && !strings.HasPrefix(path, prefix+"/") {
			continue
		}

		best, resource, function = prefix, prefix, name
		if path != prefix {
			resource = prefix + "/{proxy+}"
		}
	}

	return resource, function
}
