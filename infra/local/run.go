package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"lockstep/infra/config"
	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/cloud/metrics"
	"lockstep/infra/local/page"
	"lockstep/infra/local/postgres"
	"lockstep/infra/local/shop"
	"lockstep/infra/local/stack"
	"lockstep/infra/local/visitors"
)

// settle lets the last views of a release close before they are counted.
const settle = 2 * time.Second

// local is one run: what stands, who visits, and what was told of it.
type local struct {
	options options
	asked   config.Config // as cdk.json has it
	config  config.Config // in the demo's time
	address string        // host:port of everything
	parts   parts

	stack    *stack.Stack
	database *postgres.Server
	crowd    *visitors.Crowd
	story    *story
	meter    page.Meter
	gate     gate
	ended    []releaseReport
	builds   builds
	keeper   *keeper // nil for a run that is not kept
}

// newLocal is a run of the application that cdk.json describes.
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

// run stands everything up, plays the releases and takes everything down again.
func (l *local) run(ctx context.Context) (err error) {
	o := l.options

	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(o.port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("listen on 127.0.0.1:%d: something else does already; end it, or choose "+
			"another with --port", o.port)
	}

	if err != nil {
		return fmt.Errorf("listen on 127.0.0.1:%d: %w", o.port, err)
	}

	l.address = listener.Addr().String()

	context.AfterFunc(ctx, func() { l.story.sayf("\nEnding what was started.") })

	if o.report != "" { // better now than after the run
		if err := os.WriteFile(o.report, nil, 0o644); err != nil {
			return fmt.Errorf("--report: %w", err)
		}
	}

	server := &http.Server{Handler: l.handler(), ReadHeaderTimeout: 10 * time.Second}

	defer server.Close()
	go func() { _ = server.Serve(listener) }() // ends with Close

	l.story.sayf("Lockstep on this machine: watch it at http://%s%s", l.address, page.Prefix)
	l.story.sayf("%s", words(l.asked))
	l.story.sayf("Starting a Postgres and compiling the Lambdas, which takes some minutes the first " +
		"time.")

	dir, err := l.folder(ctx)
	if err != nil {
		return err
	}

	up := false
	defer func() {
		if err != nil && l.found() != nil && !up {
			err = fmt.Errorf("%w\nThe run that was cut short is still there: start it again, or anew with "+
				"--anew", err)
		}

		err = errors.Join(err, l.clearUp(dir, up))
	}()

	if err = l.prepare(ctx, dir); err != nil {
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

	if o.rollbacks > 0 {
		return l.rollbacks(ctx, dir)
	}

	if err := l.play(ctx); o.once || ctx.Err() != nil {
		return err
	} else if err != nil {
		l.story.sayf("Not as it should have gone: %v", err)
	}

	l.story.invite(l)
	<-ctx.Done()

	return nil
}

// folder is where this run keeps what it is made of: for its port, so that a later one finds it
// there. A measurement is not worth it, and a port that is any port is not found again.
func (l *local) folder(ctx context.Context) (dir string, err error) {
	if l.options.rollbacks > 0 || l.options.port == 0 {
		if dir, err = os.MkdirTemp("", "lockstep-"); err != nil {
			return "", fmt.Errorf("make a folder for this run: %w", err)
		}
	} else {
		root, err := moduleRoot(ctx)
		if err != nil {
			return "", err
		}

		made, err := madeOf(l.config)
		if err != nil {
			return "", err
		}

		dir = filepath.Join(root, ".lockstep", fmt.Sprintf("run-%d", l.options.port))
		if l.keeper, err = openKeeper(ctx, dir, made, l.options.anew, l.story.sayf); err != nil {
			return "", err
		}
	}

	if err := os.Chmod(dir, 0o755); err != nil { // as root, Postgres runs as another user
		return "", fmt.Errorf("open the folder of this run: %w", err)
	}

	return dir, nil
}

// found is the killed run that this one goes on with; nil where it begins anew.
func (l *local) found() *run {
	if l.keeper == nil {
		return nil
	}

	return l.keeper.found
}

// clearUp leaves nothing behind, but for a killed run that could not be gone on with: what was in
// its way may be mended.
func (l *local) clearUp(dir string, up bool) error {
	if l.found() != nil && !up {
		if l.database != nil {
			return l.database.Leave()
		}

		return nil
	}

	var err error
	if l.database != nil {
		err = l.database.Stop()
	}

	return errors.Join(err, os.RemoveAll(dir))
}

// prepare starts Postgres and compiles everything, side by side.
func (l *local) prepare(ctx context.Context, dir string) error {
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)

	where := postgres.Options{Dir: dir}
	if found := l.found(); found != nil {
		where.Again = &found.Database
	}

	group.Go(func() (err error) {
		if l.database, err = postgres.Start(ctx, where); err == nil {
			l.story.sayf("%6.1fs  Postgres answers", time.Since(began).Seconds())
		}

		return err
	})
	group.Go(func() (err error) {
		if l.parts, err = compile(ctx); err == nil {
			l.story.sayf("%6.1fs  %d Lambdas and %d releases of the shop are compiled",
				time.Since(began).Seconds(), len(l.parts.lambdas), len(l.parts.releases))
		}

		return err
	})

	return group.Wait()
}

// up makes the stack and opens it to viewers.
func (l *local) up(dir string) error {
	how := os.O_TRUNC

	var load func(*cloud.Cloud) error
	if l.found() != nil {
		how, load = os.O_APPEND, l.keeper.load
	}

	log, err := os.OpenFile(filepath.Join(l.parts.dir, "lambda.log"), os.O_CREATE|os.O_WRONLY|how,
		0o644)
	if err != nil {
		return fmt.Errorf("make the log of the Lambdas: %w", err)
	}

	processes, err := lambda.NewProcesses(lambda.ProcessOptions{
		Root: filepath.Join(dir, "functions"), Environment: l.environment(), Log: func(string) io.Writer { return metrics.Embedded(log, l.metric) },
	})
	if err != nil {
		return err
	}

	settings := l.config.Settings(config.Places{})

	converges := hasten(settings.EdgeConvergence).Std()
	if l.options.rollbacks > 0 {
		converges = convergence
	}

	l.stack, err = stack.Up(stack.Options{
		Config: l.config, SiteURL: "http://" + l.address, Code: l.parts.lambdas, Placeholder: placeholder(), Runner: processes,
		Secret: l.database.Secret(), MetricPeriod: time.Second, Sweep: hasten(settings.Sweep).Std(),
		CallTimeout: longestCall, EdgeConvergence: converges, Load: load,
	})
	if err != nil {
		return err
	}

	l.crowd = visitors.New(visitors.Options{
		Origin: "https://" + l.address, Transport: visitors.Loopback(l.address), Viewers: viewers, PageViewsPerSecond: l.options.views,
		RolledBack: l.story.rolledBack, Bad: shop.Fails, Built: l.builds.of,
	})
	l.builds.object, l.builds.carries = l.read, l.carries
	l.story.recall(l.known())
	l.story.follow(l.stack)
	l.gate.open(l.stack.Front)

	return nil
}

// metric is one that a function wrote into its log.
func (l *local) metric(namespace, name string, dimensions map[string]string, value float64,
	unit string) {
	if l.gate.front.Load() != nil { // what is written before is of nobody's call
		l.stack.Cloud.Metrics.Put(namespace, name, dimensions, value, unit)
	}
}

// environment is what a process needs to find AWS here. The SDK puts the account before the host
// of the key-value store, and such a name does not resolve: as its HTTP proxy the endpoint is
// found all the same.
func (l *local) environment() map[string]string {
	endpoint := "http://" + l.address

	return map[string]string{
		"AWS_ENDPOINT_URL": endpoint, "HTTP_PROXY": endpoint, "AWS_REGION": "us-east-1",
		"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local",
	}
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
