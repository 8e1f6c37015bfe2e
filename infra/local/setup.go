package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"lockstep/infra/config"
	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/postgres"
	"lockstep/infra/local/shop"
	"lockstep/infra/local/stack"
	"lockstep/infra/local/visitors"
)

// prepare starts Postgres and compiles everything at the same time.
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

// up deploys the stack and opens it to viewers.
func (l *local) up(dir string) error {
	processes, err := l.processes(dir)
	if err != nil {
		return err
	}

	settings := l.config.Settings(config.Places{})

	convergence := hasten(settings.EdgeConvergence).Std()
	if l.options.rollbacks > 0 {
		convergence = measuredConvergence
	}

	var load func(*cloud.Cloud) error
	if l.found() != nil {
		load = l.keeper.load
	}

	l.stack, err = stack.Up(stack.Options{
		Config: l.config, SiteURL: "http://" + l.address, Code: l.parts.lambdas,
		Placeholder: placeholder(), Runner: processes, Secret: l.database.Secret(),
		MetricPeriod: time.Second, Sweep: hasten(settings.Sweep).Std(), CallTimeout: longestCall,
		EdgeConvergence: convergence, Load: load,
	})
	if err != nil {
		return err
	}

	l.crowd = visitors.New(visitors.Options{
		Origin: "https://" + l.address, Transport: visitors.Loopback(l.address), Viewers: viewers,
		PageViewsPerSecond: l.options.views, RolledBack: l.story.rolledBack, Bad: shop.Fails,
		Built: l.builds.of,
	})
	l.builds.object, l.builds.carries = l.read, l.carries
	l.story.recall(l.known())
	l.story.follow(l.stack)
	l.gate.open(l.stack.Front)

	return nil
}

// processes runs the functions as processes, with their code below dir and their output in
// lambda.log. A run that continues an interrupted one appends to that file.
func (l *local) processes(dir string) (*lambda.Processes, error) {
	mode := os.O_TRUNC
	if l.found() != nil {
		mode = os.O_APPEND
	}

	file, err := os.OpenFile(filepath.Join(l.parts.dir, "lambda.log"),
		os.O_CREATE|os.O_WRONLY|mode, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the log of the Lambdas: %w", err)
	}

	return lambda.NewProcesses(lambda.ProcessOptions{
		Root: filepath.Join(dir, "functions"), Environment: l.environment(),
		Log: func(function string) io.Writer { return l.functionLog(file, function) },
	})
}

// environment makes a process use this run's endpoint instead of AWS. The endpoint is its HTTP
// proxy too: the SDK puts the account in front of the key-value store's host, and that name does
// not resolve.
func (l *local) environment() map[string]string {
	endpoint := "http://" + l.address

	return map[string]string{
		"AWS_ENDPOINT_URL": endpoint, "HTTP_PROXY": endpoint, "AWS_REGION": "us-east-1",
		"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local",
	}
}
