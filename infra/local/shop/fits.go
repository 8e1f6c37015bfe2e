package shop

import (
	"errors"
	"fmt"
	"slices"

	"lockstep/infra/config"
)

// needs lists the functions that the releases contain, with the route by which the pages call each.
var needs = []struct{ function, route string }{{"catalog", "/catalog"}, {"orders", "/orders"}}

// Fits checks that the shop can be released with a configuration. The error names the first key of
// cdk.json that does not fit, what was found and what is expected.
func Fits(c config.Config) error {
	for _, need := range needs {
		named := func(f config.Function) bool { return f.Name == need.function }

		i := slices.IndexFunc(c.Functions, named)
		if i < 0 {
			return fmt.Errorf("functions: found none named %q, expected one: "+
				"the sample shop brings its code", need.function)
		}

		f, at := c.Functions[i], fmt.Sprintf("functions[%d]", i)
		if !slices.Contains(f.Routes, need.route) {
			return fmt.Errorf("%s.routes: found %q, expected %q among them: "+
				"the sample shop's pages call it", at, f.Routes, need.route)
		}

		if f.Existing == "" && f.Runtime != "provided.al2023" {
			return fmt.Errorf("%s.runtime: found %q, expected %q: the sample shop is written in Go",
				at, f.Runtime, "provided.al2023")
		}
	}

	if c.Database == nil {
		return errors.New(
			"database: found none, expected one: the sample shop keeps its orders there")
	}

	return nil
}
