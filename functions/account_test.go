package functions_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"lockstep/infra/local/stack"
	"lockstep/statemachine/asl"
)

// account reads what stands in the account as anyone could who has its console: the ledger, the
// parameter and the route as JSON, the aliases, the stages and the buckets. It shares nothing with
// the steps, nor with what they believe, so that what it finds can be held against them.
type account struct{ stack *stack.Stack }

// The objects of the ledger, with the names that README and the console show.
type (
	lockObject struct {
		Fence  int64 `json:"fence"`
		Holder *struct {
			Release   string `json:"release"`
			Sequence  int64  `json:"sequence"`
			Execution string `json:"execution"`
			Fence     int64  `json:"fence"`
		} `json:"holder"`
		Queue []struct {
			Release   string `json:"release"`
			Execution string `json:"execution"`
			TaskToken string `json:"taskToken"`
			Hotfix    bool   `json:"hotfix"`
		} `json:"queue"`
	}
	recordObject struct {
		Release    string      `json:"release"`
		Execution  string      `json:"execution"`
		Fence      int64       `json:"fence"`
		State      string      `json:"state"`
		Outcome    string      `json:"outcome"`
		Cause      causeObject `json:"cause"`
		Weight     int         `json:"weight"`
		Contracted bool        `json:"contracted"`
		Promoted   *time.Time  `json:"promoted"`
		Ended      *time.Time  `json:"ended"`
		Ringing    []string    `json:"mutedAlarms"`
		Held       *struct {
			By string `json:"by"`
		} `json:"held"`
		Wait *struct {
			Paused *time.Time `json:"paused"`
			Until  time.Time  `json:"until"`
		} `json:"wait"`
		Story []entryObject `json:"events"`
	}
	// causeObject is why a release ended as it did.
	causeObject struct {
		Text string `json:"text"`
	}
	entryObject struct {
		State string `json:"state"`
		Text  string `json:"text"`
	}
	rolesObject struct {
		Active   string `json:"active"`
		Fallback string `json:"fallback"`
	}
	routeObject struct {
		rolesObject
		Weight  int    `json:"weight"`
		Release string `json:"release"`
	}
	carriesObject struct {
		Settled bool   `json:"inSync"`
		Release string `json:"release"`
	}
)

func (a account) object(key string, into any) {
	object, ok := a.stack.Cloud.S3.Get(app+"-lockstep-state", "ledger/"+key+".json")
	if ok {
		if err := json.Unmarshal(object.Body, into); err != nil {
			panic(fmt.Sprintf("ledger/%s.json is no JSON: %s", key, object.Body))
		}
	}
}

func (a account) lock() (l lockObject) { a.object("lock", &l); return l }
func (a account) record(release string) (r recordObject) {
	a.object("releases/"+release,
		&r)

	return r
}
func (a account) carries(e string) (c carriesObject) {
	a.object("environments/"+e,
		&c)

	return c
}

func (a account) roles() (r rolesObject) {
	value, _ := a.stack.Cloud.SSM.Get("/lockstep/" + app + "/environments")
	if err := json.Unmarshal([]byte(value), &r); err != nil {
		panic("the control parameter is no JSON: " + value)
	}

	return r
}

// route is the one that an edge location has which hears of it so late.
func (a account) route(late time.Duration) (r routeObject) {
	value, _ := a.stack.Cloud.KeyValue.Read(a.stack.Settings.KeyValue, "route", time.Now().Add(-late))
	if err := json.Unmarshal([]byte(value), &r); err != nil {
		panic("the route is no JSON: " + value)
	}

	return r
}

// stage is which alias a stage calls, and which release it says that is.
func (a account) stage(e string) (alias, release string) {
	s, _ := a.stack.Cloud.APIGateway.Stage(stack.API, "api-"+e)
	return s.Variables["alias"], s.Variables["release"]
}

// code is the digest behind a function's alias.
func (a account) code(function, alias string) string {
	versions, aliases := a.stack.Cloud.Lambda.Published(app + "-" + function)
	for _, v := range versions {
		if v.Version == aliases[alias] {
			return v.CodeSHA256
		}
	}

	return "nothing"
}

// published tells whether a function has a version of the code.
func (a account) published(function, digest string) bool {
	versions, _ := a.stack.Cloud.Lambda.Published(app + "-" + function)
	for _, v := range versions {
		if v.CodeSHA256 == digest {
			return true
		}
	}

	return false
}

// page is an object of a site: its body, and the release that it is stamped with.
func (a account) page(e, key string) (body, stamp string, ok bool) {
	object, ok := a.stack.Cloud.S3.Get(app+"-site-"+e, key)
	return string(object.Body), object.Metadata["lockstep-release"], ok
}

func (a account) running() (names []string) {
	for _, e := range a.stack.Cloud.States.Executions() {
		if e.Status == asl.Running {
			state := "the beginning"
			if n := len(e.Path); n > 0 {
				state = e.Path[n-1].State
			}

			names = append(names, state+" of "+e.Name)
		}
	}

	return names
}

// wrecked tells whether a release holds the lock that has ended badly, and says that a person must
// look. Merges may wait behind it.
func (a account) wrecked() bool {
	lock := a.lock()
	if lock.Holder == nil || slices.ContainsFunc(a.running(),
		func(name string) bool { return !strings.HasPrefix(name, "Begin of ") }) {
		return false
	}

	return slices.ContainsFunc(a.record(lock.Holder.Release).Story, func(e entryObject) bool {
		return strings.Contains(e.Text, "a person must look")
	})
}

func other(e string) string { return map[string]string{"a": "b", "b": "a"}[e] }
