// Command local runs whole releases on this machine with the parts that would run on AWS: the
// binaries of the Lambdas, the definition of the state machine, the router of CloudFront, a real
// Postgres, and simulated viewers. A sample shop serves v1, releases v2, and rolls v3 back because
// of a bug. Then it stays up for the user to try things.
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
	// rollbacks is how many rollbacks are measured instead of the three releases.
	rollbacks int
	bundles   string
	verbose   bool
}

func main() {
	var o options
	flag.IntVar(&o.port, "port", 8080,
		"the port on 127.0.0.1 of the shop, the page and the AWS endpoint")
	flag.BoolVar(&o.once, "once", false,
		"end after the three releases; exit 0 only if they went as expected")
	flag.StringVar(&o.report, "report", "", "write what happened to this `file`, as JSON")
	flag.Float64Var(&o.views, "views", 40, "page views per second of all viewers together")
	flag.BoolVar(&o.anew, "anew", false,
		"begin a new run even if one on this port was interrupted; otherwise that run continues")
	flag.BoolVar(&o.verbose, "verbose", false,
		"also print the log lines of Lockstep's Lambdas, each with its level in front")
	flag.IntVar(&o.rollbacks, "rollbacks", 0, "instead of the three releases, roll a bad release of "+
		"200 functions back this often\nand measure how soon nobody meets it; "+
		"five minutes to set up, then about three each")
	flag.StringVar(&o.bundles, "bundles", "",
		"only write the sample shop's releases into this `folder`, for lockstep release and AWS")
	flag.Parse()

	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr,
			"local: found the argument %q, expected only flags; see go run ./infra/local -h\n", flag.Arg(0))
		os.Exit(2)
	}

	if o.views <= 0 {
		fmt.Fprintf(os.Stderr,
			"local: --views: found %g, expected more than 0: a verdict needs calls\n", o.views)
		os.Exit(2)
	}

	signal.Ignore(syscall.SIGPIPE) // at Ctrl-C the reader of a pipe may end before this

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := start(ctx, o)
	interrupted := ctx.Err() != nil

	stop()

	switch {
	case interrupted:
		if o.once || o.rollbacks > 0 {
			os.Exit(130) // the run is incomplete
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
