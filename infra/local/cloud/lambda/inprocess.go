package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// Handler is the code of a function.
type Handler func(ctx context.Context, payload []byte) ([]byte, error)

// ErrExit is what a Handler returns to stand for a process that was killed in the middle of a call.
var ErrExit = errors.New("signal: killed")

// InProcess is a Runner that calls Go functions, for tests under virtual time.
type InProcess struct {
	mu       sync.RWMutex
	handlers map[string]Handler
}

// NewInProcess makes a Runner of handlers by function name or by Digest of the code. The digest
// takes precedence.
func NewInProcess(handlers map[string]Handler) *InProcess {
	p := &InProcess{handlers: map[string]Handler{}}
	for key, h := range handlers {
		p.Handle(key, h)
	}

	return p
}

// Handle sets the handler of a function name or code digest.
func (p *InProcess) Handle(nameOrDigest string, h Handler) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.handlers[nameOrDigest] = h
}

func (p *InProcess) handler(v Version) Handler {
	p.mu.RLock()
	defer p.mu.RUnlock()

	if h := p.handlers[v.CodeSHA256]; h != nil {
		return h
	}

	return p.handlers[v.Function]
}

// Run answers at the timeout even if the handler ignores its context.
func (p *InProcess) Run(ctx context.Context, v Version, call Call) ([]byte, string, error) {
	handle := p.handler(v)
	if handle == nil {
		return nil, "", fmt.Errorf("invoke %s: found no handler for function %s or code %s",
			call.ARN, v.Function, v.CodeSHA256)
	}

	limited, cancel := context.WithTimeout(ctx, v.Timeout)
	defer cancel()

	limited = lambdacontext.NewContext(limited, &lambdacontext.LambdaContext{
		AwsRequestID: call.RequestID, InvokedFunctionArn: call.ARN,
	})

	type answer struct {
		payload       []byte
		functionError string
	}

	answered := make(chan answer, 1)

	go func() {
		payload, functionError := perform(limited, handle, call)
		answered <- answer{payload, functionError}
	}()

	var a answer
	select {
	case a = <-answered:
	case <-limited.Done():
	}

	switch {
	case ctx.Err() != nil:
		return nil, "", fmt.Errorf("invoke %s: %w", call.ARN, ctx.Err())
	case limited.Err() != nil:
		a.payload, a.functionError = timedOut(call, v.Timeout)
	}

	return a.payload, a.functionError, nil
}

// Close does nothing.
func (p *InProcess) Close() {}

// perform renders errors and panics as aws-lambda-go does: by the name of the outermost type.
func perform(ctx context.Context, handle Handler, call Call) (payload []byte,
	functionError string) {
	defer func() {
		if thrown := recover(); thrown != nil {
			payload, functionError = render(thrown, fmt.Sprint(thrown))
		}
	}()

	payload, err := handle(ctx, call.Payload)
	switch {
	case errors.Is(err, ErrExit):
		return exited(call, ErrExit)
	case err != nil:
		return render(err, err.Error())
	}

	return payload, ""
}

func render(wrong any, message string) ([]byte, string) {
	if response, ok := wrong.(messages.InvokeResponse_Error); ok {
		payload, _ := json.Marshal(response)
		return payload, unhandled
	}

	kind := reflect.TypeOf(wrong)
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}

	return failure(kind.Name(), message)
}
