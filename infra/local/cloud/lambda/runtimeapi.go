package lambda

import (
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"lockstep/infra/local/cloud/wire"
	"lockstep/infra/local/loopback"
)

// runtimeAPI serves the Lambda Runtime API for custom runtimes, version 2018-06-01.
func (p *process) runtimeAPI() http.Handler {
	const runtime = "/2018-06-01/runtime/"

	mux := http.NewServeMux()
	mux.HandleFunc("GET "+runtime+"invocation/next", p.next)
	mux.HandleFunc("POST "+runtime+"invocation/{id}/response",
		func(w http.ResponseWriter, r *http.Request) { p.answered(w, r, "") })
	mux.HandleFunc("POST "+runtime+"invocation/{id}/error",
		func(w http.ResponseWriter, r *http.Request) { p.answered(w, r, unhandled) })
	mux.HandleFunc("POST "+runtime+"init/error", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxResponse))
		if err == nil {
			select {
			case p.initFailed <- body:
			default:
			}
		}

		w.WriteHeader(http.StatusAccepted)
	})

	return loopback.Only(mux)
}

// next ends the answered call, marks the process as idle, and blocks until there is work for it.
func (p *process) next(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()

	before := p.current
	if before == nil || len(before.answer) > 0 {
		p.current = nil
	}
	p.mu.Unlock()

	first := false

	p.firstNext.Do(func() { first = true; close(p.ready) })

	switch {
	case before != nil && len(before.answer) == 0:
		refuseRuntime(w, "InvalidStateTransition",
			"asked for the next invocation before it answered "+before.call.RequestID)

		return
	case !first && p.listed.CompareAndSwap(false, true):
		select {
		case p.set.idle <- p:
		case <-r.Context().Done():
			return
		}
	}

	if before != nil {
		close(before.over)
	}

	var next *work
	select {
	case next = <-p.work:
	case <-r.Context().Done():
		return
	}

	p.mu.Lock()
	p.current = next
	p.mu.Unlock()

	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Lambda-Runtime-Aws-Request-Id", next.call.RequestID)
	header.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(next.deadline.UnixMilli(), 10))
	header.Set("Lambda-Runtime-Invoked-Function-Arn", next.call.ARN)
	header.Set("Lambda-Runtime-Trace-Id", traceID())

	_, _ = w.Write(next.call.Payload)
}

// answered accepts the response or the error of the call under way, once.
func (p *process) answered(w http.ResponseWriter, r *http.Request, functionError string) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxResponse+1))
	if err != nil {
		return // the process died while it answered
	}

	p.mu.Lock()
	current := p.current
	p.mu.Unlock()

	if current == nil || current.call.RequestID != r.PathValue("id") {
		refuseRuntime(w, "InvalidRequestID", "Invalid request ID")
		return
	}

	select {
	case current.answer <- answer{body, functionError}:
	default:
		refuseRuntime(w, "InvalidStateTransition", "answered twice")
		return
	}

	status := http.StatusAccepted
	if len(body) > maxResponse {
		status = http.StatusRequestEntityTooLarge
	}

	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
}

func refuseRuntime(w http.ResponseWriter, errorType, message string) {
	payload, _ := failure(errorType, message)

	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write(payload)
}

func traceID() string {
	id := strings.ReplaceAll(uuid.NewString(), "-", "")
	return "Root=1-" + strconv.FormatInt(time.Now().Unix(), 16) + "-" + id[:24] + ";Sampled=0"
}

// environ is the environment of a process. The variables of Lambda override those of the function's
// configuration, and those override every, the variables of all processes.
func environ(v Version, every map[string]string, folder, api string) []string {
	set := map[string]string{
		"PATH": os.Getenv("PATH"), "LANG": "en_US.UTF-8", "TZ": ":UTC", "TMPDIR": os.TempDir(),
		"HOME":              folder, // hides the AWS configuration of the user
		"AWS_ACCESS_KEY_ID": "AKIALOCALLOCALLOCAL0", "AWS_SECRET_ACCESS_KEY": "local",
		"AWS_SESSION_TOKEN": "local",
	}

	for _, more := range []map[string]string{every, v.Environment, {
		"AWS_REGION": wire.Region, "AWS_DEFAULT_REGION": wire.Region,
		"AWS_LAMBDA_RUNTIME_API":          api,
		"AWS_LAMBDA_FUNCTION_NAME":        v.Function,
		"AWS_LAMBDA_FUNCTION_VERSION":     v.Version,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(v.MemoryMB),
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/" + v.Function,
		"LAMBDA_TASK_ROOT":                folder,
		"_HANDLER":                        v.Handler,
	}} {
		for key, value := range more {
			set[key] = value
		}
	}

	list := make([]string, 0, len(set))
	for key, value := range set {
		list = append(list, key+"="+value)
	}

	return list
}
