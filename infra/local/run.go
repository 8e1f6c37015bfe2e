package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"lockstep/infra/config"
	"lockstep/infra/local/page"
	"lockstep/infra/local/postgres"
	"lockstep/infra/local/shop"
	"lockstep/infra/local/stack"
	"lockstep/infra/local/visitors"
)

// settle lets the last views of a release close before they are counted.
const settle = 2 * time.Second

// local is one run: the stack, its visitors, and what happened.
type local struct {
	options options
	asked   config.Config // as in cdk.json
	config  config.Config // scaled to the local run's time
	address string        // host:port of the shop, the page and the AWS endpoint
	parts   parts

	stack    *stack.Stack
	database *postgres.Server
	crowd    *visitors.Crowd
	story    *story
	meter    page.Meter
	gate     gate
	ended    []releaseReport
	builds   builds
	keeper   *keeper // nil for a run that is not saved
}

// newLocal makes a run of the application that cdk.json describes.
func newLocal(ctx context.Context, o options) (*local, error) {
	asked, err := application(ctx)
	if err != nil {
		return nil, err
	}

	l := &local{options: o, asked: asked, config: hastened(asked), story: newStory(os.Stdout)}
	if o.rollbacks > 0 {
		l.config = widened(l.config)
	}

	return l, nil
}

// run sets everything up, plays the releases and takes everything down again.
func (l *local) run(ctx context.Context) error {
	listener, err := listen(l.options.port)
	if err != nil {
		return err
	}

	l.address = listener.Addr().String()

	context.AfterFunc(ctx, func() { l.story.sayf("\nStopping everything that was started.") })

	if file := l.options.report; file != "" { // fail now rather than after the run
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			return fmt.Errorf("--report: %w", err)
		}
	}

	server := &http.Server{Handler: l.handler(), ReadHeaderTimeout: 10 * time.Second}

	defer server.Close()
	go func() { _ = server.Serve(listener) }() // ends with Close

	l.story.sayf("Lockstep on this machine: watch it at http://%s%s", l.address, page.Prefix)
	l.story.sayf("%s", summaryOf(l.asked))
	l.story.sayf("Starting Postgres and compiling the Lambdas. The first time this takes minutes.")

	dir, err := l.folder(ctx)
	if err != nil {
		return err
	}

	return l.runIn(ctx, dir)
}

// runIn keeps what the run consists of in dir, and removes dir at the end. An interrupted run that
// it found in dir but could not continue stays there, since its cause may be mended.
func (l *local) runIn(ctx context.Context, dir string) (err error) {
	up := false

	defer func() {
		if err != nil && l.found() != nil && !up {
			err = fmt.Errorf("%w\nThe interrupted run is kept: start again to continue it, or begin a new "+
				"one with --anew", err)
		}

		err = errors.Join(err, l.clearUp(dir, up))
	}()

	if err := l.prepare(ctx, dir); err != nil {
		return err
	}

	if err := l.up(dir); err != nil {
		return err
	}

	up = true

	defer l.stack.Close()

	if l.keeper != nil {
		defer l.keeper.keep(ctx, l.stack.Cloud, l.database.Place())()
	}

	if err := l.stack.Cloud.Resume(); err != nil {
		return err
	}

	if l.options.rollbacks > 0 {
		return l.rollbacks(ctx, dir)
	}

	if err := l.play(ctx); l.options.once || ctx.Err() != nil {
		return err
	} else if err != nil {
		l.story.sayf("The releases did not go as expected: %v", err)
	}

	l.story.invite(l)
	<-ctx.Done()

	return nil
}

// listen opens a port of 127.0.0.1.
func listen(port int) (net.Listener, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on 127.0.0.1:%d: the port is in use; end the program that uses "+
			"it, or choose another port with --port", port)
	}

	if err != nil {
		return nil, fmt.Errorf("listen on 127.0.0.1:%d: %w", port, err)
	}

	return listener, nil
}

// play releases v1, lets the viewers in, then releases v2 and v3.
func (l *local) play(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)

	var visiting sync.WaitGroup
	if l.options.once {
		defer visiting.Wait()
		defer cancel()
	} else {
		context.AfterFunc(ctx, cancel)
	}

	for i, release := range shop.Releases() {
		if err := l.release(ctx, release); err != nil {
			return err
		}

		if i == 0 {
			visiting.Go(func() { l.crowd.Run(ctx) })
		}
	}

	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(settle):
	}

	report := l.report()
	l.story.summary(report)

	if l.options.report != "" {
		if err := report.write(l.options.report); err != nil {
			return err
		}
	}

	return report.judge()
}
