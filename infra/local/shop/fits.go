package shop

import (
	"fmt"
	"slices"

	"lockstep/infra/config"
)

// needs are the functions that the releases bring, and the route that the pages call each by.
var needs = []struct{ function, route string }{{"catalog", "/catalog"}, {"orders", "/orders"}}

// Fits says what in a configuration the shop could not be released to, by its path.
func Fits(c config.Config) error {
	for _, need := range needs {
		i := slices.IndexFunc(
			c.Functions, func(f config.Function) bool { return f.Name == need.function })
		if i < 0 {
			return fmt.Errorf(
				"functions: found none named %q, expected one: the sample shop brings its code", need.function)
		}

		f, at := c.Functions[i], fmt.Sprintf("functions[%d]", i)
		if !slices.Contains(f.Routes, need.route) {
			return fmt.Errorf("%s.routes: found %q, expected %q among them: the sample shop's pages call it",
				at, f.Routes, need.route)
		}

		if f.Existing == "" && f.Runtime != "provided.al2023" {
			return fmt.Errorf("%s.runtime: found %q, expected \"provided.al2023\": the sample shop is "+
				"written in Go", at, f.Runtime)
		}
	}

	if c.Database == nil {
		return fmt.Errorf("database: found none, expected one: the sample shop keeps its orders there")
	}

	return nil
}
