package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	sm "lockstep/statemachine"
)

// Function is a function of the application. Existing adopts a Lambda that already exists, by its
// name or ARN: Lockstep then sets only its routes and events, and Timeout repeats the function's
// own timeout if that exceeds 29s.
type Function struct {
	Name        string            `json:"name"`
	Existing    string            `json:"existing"`
	Runtime     string            `json:"runtime"`
	Handler     string            `json:"handler"`
	Routes      []string          `json:"routes"` // "/orders" includes every path below it
	Memory      int               `json:"memory"` // MB
	Timeout     sm.Duration       `json:"timeout"`
	Environment map[string]string `json:"environment"`
	Events      []Source          `json:"events"` // what calls it besides the API
	// Architecture is arm64, unless the function is built for x86_64.
	Architecture string `json:"architecture"`
}

// MaxAdopted is how many adopted functions an application may have. Each takes two ARNs in a role's
// policy, which holds 10,240 characters.
const MaxAdopted = 20

// maxVariables is the size that Lambda allows a function's environment, in bytes of JSON.
const maxVariables = 4096

// DatabaseSecretKey is the environment variable with the ARN of the database's secret.
const DatabaseSecretKey = "DATABASE_SECRET"

// reserved matches the variables that Lambda sets itself.
var reserved = regexp.MustCompile(`^(` +
	`AWS_(REGION|DEFAULT_REGION|EXECUTION_ENV)|` +
	`AWS_(ACCESS_KEY(_ID)?|SECRET_(ACCESS_)?KEY|SE(SSION|CURITY)_TOKEN)|` +
	`AWS_LAMBDA_FUNCTION_(NAME|MEMORY_SIZE|VERSION)|` +
	`AWS_LAMBDA_(INITIALIZATION_TYPE|LOG_(GROUP|STREAM)_NAME|RUNTIME_API)|` +
	`LAMBDA_(TASK_ROOT|RUNTIME_DIR)` +
	`)$`)

var (
	functionPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$`)
	existingPattern = regexp.MustCompile(
		`^(arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:)?[A-Za-z0-9_-]{1,64}$`)
	routePattern    = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+$`)
	variablePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]+$`)
)

func (c Config) checkFunctions() error {
	names, routes, adopted := map[string]string{}, map[string]string{}, 0

	for i, f := range c.Functions {
		at := fmt.Sprintf("functions[%d]", i)
		if !functionPattern.MatchString(f.Name) {
			return found(at+".name", f.Name, "1 to 40 letters, digits, '_' or '-'")
		}

		if other := names[f.Name]; other != "" {
			return found(at+".name", f.Name, "a name that %s does not have", other)
		}

		names[f.Name] = at
		if long := c.App + "-" + f.Name; len(long) > 64 {
			return found(at+".name", f.Name, "a shorter name: %q exceeds Lambda's 64 characters", long)
		}

		if err := f.check(at); err != nil {
			return err
		}

		if err := f.checkEnvironment(at+".environment", c.Database != nil); err != nil {
			return err
		}

		if f.Existing != "" {
			adopted++
		}

		if adopted > MaxAdopted {
			return found(at+".existing", f.Existing,
				"at most %d adopted functions: a role's policy has no room for more", MaxAdopted)
		}

		for j, route := range f.Routes {
			at := fmt.Sprintf("%s.routes[%d]", at, j)
			if !routePattern.MatchString(route) {
				return found(at, route,
					"a path like \"/orders\", without parameters: it includes every path below it")
			}

			if other := routes[route]; other != "" {
				return found(at, route, "a route that %s does not have", other)
			}

			routes[route] = at
		}
	}

	return nil
}

func (f Function) check(at string) error {
	if err := f.checkEvents(at); err != nil {
		return err
	}

	if f.Existing != "" {
		if !existingPattern.MatchString(f.Existing) {
			return found(at+".existing", f.Existing, "the name or the ARN of a Lambda, without a version")
		}

		if f.Runtime != "" || f.Handler != "" || f.Memory != 0 || f.Architecture != "" ||
			f.Environment != nil {
			return found(at, "runtime, handler, memory, architecture or environment",
				"none of them together with existing: an adopted function keeps its own")
		}

		if t := f.Timeout.Std(); t != 0 && (t < time.Second || t > longestCall) {
			return found(at+".timeout", f.Timeout, "1s to 15m: the function's own, if it exceeds 29s")
		}

		return nil
	}

	if f.Runtime == "" {
		return found(at+".runtime", f.Runtime, "a runtime, like \"provided.al2023\" or \"nodejs22.x\"")
	}

	if f.Handler == "" {
		return found(at+".handler", f.Handler, "a handler, like \"bootstrap\" or \"index.handler\"")
	}

	if f.Architecture != "arm64" && f.Architecture != "x86_64" {
		return found(at+".architecture", f.Architecture, "\"arm64\" or \"x86_64\"")
	}

	if f.Memory != 0 && (f.Memory < 128 || f.Memory > 10240) {
		return found(at+".memory", f.Memory, "128 to 10240 (MB)")
	}

	t, longest := f.Timeout.Std(), longestCall
	if len(f.Routes) > 0 {
		longest = callTimeout
	}

	if t < time.Second || t > longest {
		return found(at+".timeout", f.Timeout,
			"1s to 29s, API Gateway's limit; up to 15m for a function without routes")
	}

	return nil
}

// checkEnvironment checks a function's variables. With a database, Lockstep adds the ARN of its
// secret to them.
func (f Function) checkEnvironment(at string, database bool) error {
	all := map[string]string{}
	if database && f.Existing == "" {
		all[DatabaseSecretKey] = strings.Repeat("x", 150) // about as long as its ARN
	}

	for _, name := range slices.Sorted(maps.Keys(f.Environment)) {
		if !variablePattern.MatchString(name) || reserved.MatchString(name) {
			return found(at+"."+name, name,
				"a name of letters, digits and '_' that Lambda does not reserve")
		}

		if all[name] != "" {
			return found(at+"."+name, f.Environment[name],
				"none: Lockstep sets it to the secret of lockstep.database")
		}

		all[name] = f.Environment[name]
	}

	if text, _ := json.Marshal(all); len(text) > maxVariables {
		return found(at, fmt.Sprintf("%d bytes", len(text)),
			"at most %d, as JSON and including DATABASE_SECRET", maxVariables)
	}

	return nil
}
