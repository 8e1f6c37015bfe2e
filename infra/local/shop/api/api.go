// Package api is the code that all functions of the shop share, so that a release holds only what
// it changes. It answers REST proxy events with JSON, stamped with the release.
package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/jackc/pgx/v5/pgconn"

	"lockstep/statemachine"
)

// Headers of every answer that name the release it comes from.
const (
	// Stamp is the release that the API's stage carries.
	Stamp = "x-lockstep-release"
	// Build is the release that the function's code was built for, which may be an earlier one.
	Build = "x-lockstep-build"
)

const foreignKeyViolation = "23503"

// mark is set by the linker, in a form that a search in the binary finds.
var mark = "lockstep-build:;"

// release is the release that this code was built for.
var release = strings.TrimSuffix(strings.TrimPrefix(mark, "lockstep-build:"), ";")

type (
	proxyRequest  = events.APIGatewayProxyRequest
	proxyResponse = events.APIGatewayProxyResponse
)

// Handle answers one call with a value that is encoded as JSON.
type Handle func(ctx context.Context, db DB, body string) (any, error)

// Routes are a function's handles by HTTP method.
type Routes map[string]Handle

// Refusal is an error that the caller made: a status of 4xx and a message for the caller.
type Refusal struct {
	Status  int
	Message string
}

func (r *Refusal) Error() string { return r.Message }

// Refuse makes a refusal with status 400.
func Refuse(format string, args ...any) error {
	return &Refusal{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// Serve answers calls until Lambda ends the process.
func Serve(routes Routes) {
	database := &postgres{}

	lambda.Start(func(ctx context.Context, call proxyRequest) (proxyResponse, error) {
		carried := cmp.Or(call.StageVariables[statemachine.StageVariableRelease], release)
		connect := func(ctx context.Context) (DB, error) { return database.connect(ctx, carried) }
		response := answer(atStage(ctx, call.RequestContext.Stage), routes, connect, call)
		response.Headers[Stamp] = carried

		return response, nil
	})
}

func answer(ctx context.Context, routes Routes, connect func(context.Context) (DB, error),
	call proxyRequest) proxyResponse {
	result, err := run(ctx, routes[call.HTTPMethod], connect, call.Body)
	if err == nil {
		return respond(http.StatusOK, result)
	}

	var (
		refusal  *Refusal
		violated *pgconn.PgError
	)
	if errors.As(err, &violated) && violated.Code == foreignKeyViolation {
		refusal = &Refusal{http.StatusNotFound, "there is no such product"}
	}

	if refusal != nil || errors.As(err, &refusal) {
		return respond(refusal.Status, map[string]string{"message": refusal.Message})
	}

	log.Printf("%s %s: %v", call.HTTPMethod, call.Path, err)

	return respond(http.StatusInternalServerError,
		map[string]string{"message": "something went wrong"})
}

// run turns a panic into an error: a bug in one call must not end the process, which has more calls
// to serve.
func run(ctx context.Context, handle Handle, connect func(context.Context) (DB, error),
	body string) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()

	if handle == nil {
		return nil, &Refusal{http.StatusMethodNotAllowed, "this method is not supported"}
	}

	db, err := connect(ctx)
	if err != nil {
		return nil, err
	}

	return handle(ctx, db, body)
}

func respond(status int, body any) proxyResponse {
	data, err := json.Marshal(body)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(`{"message":"something went wrong"}`)

		log.Printf("encode the answer: %v", err)
	}

	return proxyResponse{
		StatusCode: status,
		Headers: map[string]string{
			"content-type": "application/json", "cache-control": "no-store", Build: release,
		},
		Body: string(data),
	}
}
