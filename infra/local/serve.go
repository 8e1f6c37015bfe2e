package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"lockstep/infra/local/loopback"
	"lockstep/infra/local/page"
	sm "lockstep/statemachine"
	"lockstep/statemachine/asl"
)

// gate answers viewers with 503 until the stack is up.
type gate struct{ front atomic.Pointer[http.Handler] }

func (g *gate) open(front http.Handler) { g.front.Store(&front) }

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if front := g.front.Load(); front != nil {
		(*front).ServeHTTP(w, r)
		return
	}

	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Refresh", "2")
	w.WriteHeader(http.StatusServiceUnavailable)
	fmt.Fprintf(w, `<!doctype html><title>Starting</title>
<p>The shop is being started; <a href="%s">watch</a>.`, page.Prefix)
}

// handler serves everything on the one port: the page, the AWS endpoint for signed requests, and
// the shop for the rest. It answers only requests for this machine's own names. The exception is a
// signed request with an absolute URL, from an AWS client that uses the endpoint as its proxy:
// browsers do not send that form to a site.
func (l *local) handler() http.Handler {
	watched := page.New(page.Options{Snapshot: l.snapshot, Do: l.do})
	parts := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == page.Prefix || strings.HasPrefix(r.URL.Path, page.Prefix+"/"):
			watched.ServeHTTP(w, r)
		case signed(r) && l.gate.front.Load() != nil:
			l.stack.Cloud.ServeHTTP(w, r)
		default:
			seen := &stamped{ResponseWriter: w, status: http.StatusOK}
			l.gate.ServeHTTP(seen, r)

			if release := w.Header().Get("x-lockstep-release"); release != "" {
				l.meter.Count(release, seen.status >= http.StatusInternalServerError)
				l.story.answered(w.Header().Get("x-lockstep-build"))
			}
		}
	})
	own := loopback.Only(parts)

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if signed(r) && r.URL.IsAbs() {
			parts.ServeHTTP(w, r)
			return
		}

		own.ServeHTTP(w, r)
	})
}

// signed tells whether a request comes from an AWS client.
func signed(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-")
}

// stamped remembers the status of a response.
type stamped struct {
	http.ResponseWriter
	status int
}

func (s *stamped) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// release runs the operator's command and waits for the release to end. In a run that continues an
// interrupted one, the release may be under way or over already.
func (l *local) release(ctx context.Context, id string) error {
	ended := l.story.end(id)
	switch l.stands(id) {
	case isOver:
		l.story.sayf("\n%s is over: it was %s", id, l.entry(id).Outcome)
		l.ended = append(l.ended, l.entry(id))

		return nil
	case isUnderWay:
		l.story.sayf("\n%s is under way", id)
	default:
		if err := l.ask(ctx, id); err != nil {
			return err
		}
	}

	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-ended:
		l.ended = append(l.ended, l.entry(id))
		return nil
	}
}

// ask runs lockstep release.
func (l *local) ask(ctx context.Context, id string) error {
	l.story.sayf("\n$ lockstep release %s", l.short(l.parts.releases[id]))
	command := exec.CommandContext(ctx, l.parts.command, "release", l.parts.releases[id])
	command.Env = append(os.Environ(), sm.StateBucketVariable+"="+l.stack.Settings.StateBucket,
		"AWS_ENDPOINT_URL=http://"+l.address)

	output, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("lockstep release %s: %w\n%s", l.parts.releases[id], err, output)
	}

	return nil
}

// standing is the progress of a release.
type standing int

const (
	isNew standing = iota
	isUnderWay
	isOver
)

// stands tells whether a release is new, under way, or over. It is over when its execution has
// ended, which is after its record says so.
func (l *local) stands(id string) standing {
	for _, e := range l.stack.Cloud.States.Executions() {
		if e.Status == asl.Running && strings.Contains(e.Input, `"`+id+`"`) {
			return isUnderWay
		}
	}

	var record sm.Record
	switch l.object(sm.RecordKey(id), &record); {
	case record.Release == "":
		return isNew
	case record.Outcome == "":
		return isUnderWay
	}

	return isOver
}

// short is a path relative to the checkout.
func (l *local) short(path string) string {
	if relative, err := filepath.Rel(filepath.Dir(l.parts.dir), path); err == nil {
		return relative
	}

	return path
}

// do runs an operator's action from the page.
func (l *local) do(ctx context.Context, action, release string) error {
	if l.gate.front.Load() == nil {
		return fmt.Errorf("%s %s: the stack is not up yet; try again in a moment", action, release)
	}
	defer l.keeper.save()

	switch freeze := sm.FreezeParameter(l.config.App); action {
	case "freeze":
		return l.stack.Cloud.SSM.Put(freeze, "on the page")
	case "unfreeze":
		return l.stack.Cloud.SSM.Put(freeze, sm.Unfrozen)
	case "release":
	default:
		l.stack.Cloud.Events.Emit(sm.SourceOperator, sm.DetailOperator, nil,
			sm.Operator{App: l.config.App, Release: release, Action: sm.SignalKind(action),
				Reason: "on the page"})

		return nil
	}

	input, err := json.Marshal(map[string]string{"release": release})
	if err != nil {
		return err
	}

	execution, err := l.stack.Cloud.States.Start(l.stack.Settings.Machine, "", string(input))
	if err != nil {
		return err
	}

	return l.refusal(ctx, execution)
}

// refusal waits as long as Begin may take to refuse a release, and returns the reason if it does.
func (l *local) refusal(ctx context.Context, execution string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()

	for tick := time.Tick(100 * time.Millisecond); ; {
		for _, e := range l.stack.Cloud.States.Executions() {
			if e.ARN == execution && e.Status == asl.Failed {
				return errors.New(e.Cause)
			}
		}

		select {
		case <-ctx.Done():
			return nil
		case <-tick:
		}
	}
}
