// Command local runs whole releases on this machine with real parts: the very binaries that Lambda
// would run, the definition that Step Functions would, the router that CloudFront would, a real
// Postgres, and viewers. A shop's v1 serves, v2 goes up, v3 has a bug and is undone; then it stays
// up to be played with.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

type options struct {
	port   int
	once   bool
	report string
	views  float64
	anew   bool
	// rollbacks is how many are measured, in place of the three releases.
	rollbacks int
	bundles   string
}

func main() {
	var o options
	flag.IntVar(&o.port, "port", 8080, "the port on 127.0.0.1 of the shop, the page and the AWS "+
		"endpoint")
	flag.BoolVar(&o.once, "once", false, "end after the three releases; exit 0 only if they went as "+
		"they should")
	flag.StringVar(&o.report, "report", "", "write what happened to this `file`, as JSON")
	flag.Float64Var(&o.views, "views", 40, "page views per second of all viewers together")
	flag.BoolVar(&o.anew, "anew", false, "begin anew where a run on this port was cut short, which "+
		"otherwise goes on")
	flag.IntVar(&o.rollbacks, "rollbacks", 0, "in place of the three releases roll a bad one of 200 "+
		"functions back so many times, and measure how soon nobody meets it; two minutes each")
	flag.StringVar(&o.bundles, "bundles", "", "only write the sample shop's releases into this "+
		"`folder`, for AWS: what lockstep release takes")
	flag.Parse()

	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "local: found the argument %q, expected only flags; see go run "+
			"./infra/local -h\n", flag.Arg(0))
		os.Exit(2)
	}

	if o.views <= 0 {
		fmt.Fprintf(os.Stderr, "local: --views: found %g, expected more than 0: nobody's calls are no "+
			"evidence\n", o.views)
		os.Exit(2)
	}

	signal.Ignore(syscall.SIGPIPE) // whoever reads the output may end first, at Ctrl-C of a pipe

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := start(ctx, o)
	interrupted := ctx.Err() != nil

	stop()

	switch {
	case interrupted:
		if o.once || o.rollbacks > 0 {
			os.Exit(130) // not all of it happened
		}
	case err != nil:
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(1)
	}
}

func start(ctx context.Context, o options) error {
	if o.bundles != "" {
		return bundles(ctx, o.bundles)
	}

	l, err := newLocal(ctx, o)
	if err != nil {
		return err
	}

	return l.run(ctx)
}
