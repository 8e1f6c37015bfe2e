package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"

	"lockstep/infra/local/cloud/wire"
)

// The payload limits of AWS, in bytes: of a synchronous request, an asynchronous one, and a
// response.
const (
	maxRequest  = 6 << 20
	maxEvent    = 1 << 20
	maxResponse = 6<<20 + 100
)

// result is the outcome of an invocation.
type result struct {
	version       string
	payload       []byte
	functionError string
	err           error
}

// Invoke runs a function and waits for its answer. The name may be an ARN and may have a qualifier.
// functionError is the value of X-Amz-Function-Error; err is a refusal. If ctx ends first, the
// function runs to its end nevertheless, as it does on AWS.
func (s *Service) Invoke(
	ctx context.Context, functionNameOrARN string, payload []byte,
) (answer []byte, functionError string, err error) {
	r := s.invoke(ctx, functionNameOrARN, "", payload)
	return r.payload, r.functionError, r.err
}

func (s *Service) invoke(ctx context.Context, text, qualifier string, payload []byte) result {
	n, err := parseName(text, qualifier)
	if err != nil {
		return result{err: err}
	}

	v, err := s.admit(n)
	if err != nil {
		return result{err: err}
	}

	done := make(chan result, 1)
	go func() { done <- s.run(n, v, Call{uuid.NewString(), n.arn(), payload}) }()

	select {
	case r := <-done:
		return r
	case <-ctx.Done():
		return result{err: fmt.Errorf("invoke %s: %w", text, ctx.Err())}
	}
}

// admit finds the version to run and counts the call against the concurrency, until run is done.
func (s *Service) admit(n name) (Version, error) {
	v, err := s.reserve(n)
	if isThrottled(err) {
		s.observe(n, 0, false, true)
	}

	return v, err
}

func (s *Service) reserve(n name) (Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	f := s.functions[n.function]
	if f == nil {
		return Version{}, notFound(n.arn())
	}

	v, err := f.invocable(n)
	if err != nil {
		return Version{}, err
	}

	if s.closed {
		return Version{}, errClosed
	}

	if s.inFlight >= s.options.Concurrency {
		return Version{}, tooMany()
	}

	s.inFlight++
	s.calls.Add(1)

	return v, nil
}

var errClosed = &wire.Error{
	Status: http.StatusInternalServerError, Code: "ServiceException",
	Message: "Lambda is being shut down",
}

func (s *Service) run(n name, v Version, call Call) result {
	defer s.calls.Done()

	start := time.Now()

	payload, functionError, err := s.options.Runner.Run(s.running, v, call)
	if len(payload) > maxResponse {
		payload, functionError = failure("Function.ResponseSizeTooLarge", fmt.Sprintf(
			"Response payload size exceeded maximum allowed payload size (%d bytes).", maxResponse))
	}

	s.mu.Lock()
	s.inFlight--
	s.mu.Unlock()
	s.observe(n, time.Since(start), err != nil || functionError != "", false)

	return result{v.Version, payload, functionError, err}
}

func (s *Service) observe(n name, duration time.Duration, failed, throttled bool) {
	if s.options.Observe != nil {
		s.options.Observe(n.function, n.qualifier, duration, failed, throttled)
	}
}

// serveInvoke is the operation Invoke.
func (s *Service) serveInvoke(w http.ResponseWriter, r *http.Request) {
	text, qualifier := r.PathValue("name"), r.URL.Query().Get("Qualifier")
	kind := orDefault(r.Header.Get("X-Amz-Invocation-Type"), "RequestResponse")

	payload, err := readPayload(r, kind)
	if err != nil {
		wire.Answer(w, r, nil, err)
		return
	}

	status := http.StatusOK

	var out result

	switch kind {
	case "RequestResponse":
		out = s.invoke(r.Context(), text, qualifier, payload)
	case "Event":
		status = http.StatusAccepted
		out.err = s.invokeAsync(text, qualifier, payload)
	case "DryRun":
		status = http.StatusNoContent
		_, out.err = s.exists(text, qualifier)
	default:
		out.err = invalid("InvocationType: found %q, expected RequestResponse, Event or DryRun", kind)
	}

	if out.err != nil {
		wire.Answer(w, r, nil, out.err)
		return
	}

	w.Header().Set("Content-Type", "application/json")

	if out.version != "" {
		w.Header().Set("X-Amz-Executed-Version", out.version)
	}

	if out.functionError != "" {
		w.Header().Set("X-Amz-Function-Error", out.functionError)
	}

	w.WriteHeader(status)
	_, _ = w.Write(out.payload)
}

func readPayload(r *http.Request, kind string) ([]byte, error) {
	limit := maxRequest
	if kind == "Event" {
		limit = maxEvent
	}

	payload, err := io.ReadAll(io.LimitReader(r.Body, int64(limit)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the payload: %w", err)
	case len(payload) > limit:
		return nil, refuse(http.StatusRequestEntityTooLarge, "RequestTooLargeException",
			"%s payload must be smaller than %d bytes", kind, limit)
	case len(payload) == 0:
		return []byte("{}"), nil
	case !json.Valid(payload):
		return nil, refuse(http.StatusBadRequest, "InvalidRequestContentException",
			"Could not parse request body into json")
	}

	return payload, nil
}

// exists refuses the name of a function, version or alias that does not exist.
func (s *Service) exists(text, qualifier string) (name, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	f, n, err := s.find(text, qualifier)
	if err != nil {
		return n, err
	}

	_, err = f.resolve(n)

	return n, err
}

// isThrottled recognises a 429. It does not count as one of the attempts of an event.
func isThrottled(err error) bool {
	var refusal *wire.Error
	return errors.As(err, &refusal) && refusal.Status == http.StatusTooManyRequests
}
