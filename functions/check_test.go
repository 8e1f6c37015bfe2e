package functions_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	localambda "lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/inprocess"
	"lockstep/infra/local/stack"
	sm "lockstep/statemachine"
	"lockstep/statemachine/asl"
)

// stands checks the whole account at the end of a story: e is the fallback, and each environment
// carries a release in every layer; "" is nothing, "?" whatever it may be. It knows nothing of how
// the steps work.
func (w *world) stands(fallback sm.Environment, a, b string) {
	w.t.Helper()

	var wrong []string

	report := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	w.checkRoles(report, fallback)

	for e, release := range map[sm.Environment]string{sm.A: a, sm.B: b} {
		if release != "?" {
			w.checkEnvironment(report, e, release)
		}
	}

	w.checkEvents(report, fallback)
	w.checkRest(report)
	w.checkViewers(report)

	if wrong != nil {
		w.t.Errorf("in the end:\n  %s\n%s", strings.Join(wrong, "\n  "), w.story())
	}
}

type reporter func(format string, args ...any)

func (w *world) checkRoles(report reporter, fallback sm.Environment) {
	want := fmt.Sprintf(`{"active":%q,"fallback":%q}`, fallback.Other(), fallback)
	if value, _ := w.stack.Cloud.SSM.Get("/lockstep/shop/environments"); value != want {
		report("roles: found %s, expected %s", value, want)
	}

	if r := w.route(); r.Weight != 0 || r.Active != fallback.Other() || r.Fallback != fallback {
		report("route: found %+v, expected everyone in %s", r, fallback)
	}
}

func (w *world) checkEnvironment(report reporter, e sm.Environment, release string) {
	stage, _ := w.stack.Cloud.APIGateway.Stage(stack.API, "api-"+string(e))
	if got := stage.Variables["alias"]; got != string(e) {
		report("stage api-%s: alias: found %s", e, got)
	}

	if got := stage.Variables["release"]; got != release && release != "" {
		report("stage api-%s: release: found %s, expected %s", e, got, release)
	}

	for _, f := range w.stack.Settings.Functions {
		code := placeholder
		if builder := w.built(release, f.Name); builder != "none" {
			code = w.releases[builder].objects["functions/"+f.Name+".zip"]
		}

		out, err := lambda.NewFromConfig(w.config).GetFunction(w.t.Context(),
			&lambda.GetFunctionInput{FunctionName: &f.Lambda, Qualifier: sdk.String(string(e))})
		if err != nil {
			report("alias %s of %s: %v", e, f.Name, err)
		} else if sdk.ToString(out.Configuration.CodeSha256) != localambda.Digest(code) {
			report("alias %s of %s: names version %s, which is not of %s", e, f.Name,
				*out.Configuration.Version, release)
		}
	}

	w.checkSite(report, e, release)
	w.checkCarries(report, e, release)
}

// checkCarries holds what the ledger says of an environment against what the stories put there.
func (w *world) checkCarries(report reporter, e sm.Environment, release string) {
	var c sm.EnvironmentState
	w.read("ledger/environments/"+string(e)+".json", &c)

	if release == "" {
		return
	}

	if !c.InSync || c.Release != release || c.Site == nil ||
		c.Site.Release != w.built(release, "site") {
		report("ledger: %s carries %+v, expected %s", e, c, release)
	}

	for _, f := range w.stack.Settings.Functions {
		builder := w.built(release, f.Name)
		if got := c.Functions[f.Name]; builder != "none" &&
			(got.Release != builder || got.SHA256 != w.releases[builder].manifest.Functions[f.Name].SHA256) {
			report("ledger: %s carries %+v as %s, expected that of %s", e, got, f.Name, builder)
		}
	}
}

func (w *world) checkSite(report reporter, e sm.Environment, release string) {
	builder := w.built(release, "site")

	out, err := s3.NewFromConfig(w.config).ListObjectsV2(w.t.Context(),
		&s3.ListObjectsV2Input{Bucket: sdk.String("shop-site-" + string(e))})
	if err != nil {
		report("site of %s: %v", e, err)
		return
	}

	var entries []string

	for _, object := range out.Contents {
		if !strings.HasPrefix(*object.Key, "assets/") {
			entries = append(entries, *object.Key)
		}
	}

	if builder == "none" {
		if len(entries) > 0 {
			report("site of %s: found %v, expected none", e, entries)
		}

		return
	}

	if !slices.Equal(entries, []string{"index.html"}) {
		report("site of %s: found the entry pages %v", e, entries)
	}

	index := strings.NewReplacer("%LOCKSTEP_RELEASE%", release, "%LOCKSTEP_ENVIRONMENT%", string(e),
		"%LOCKSTEP_API%", "/api-"+string(e)).Replace(page(builder))
	w.checkObject(report, e, "index.html", index, release)
	w.checkObject(report, e, "assets/app-"+builder+".js", asset(builder), builder)
}

func (w *world) checkObject(report reporter, e sm.Environment, key, body, stamp string) {
	object, ok := w.stack.Cloud.S3.Get("shop-site-"+string(e), key)
	switch {
	case !ok:
		report("site of %s: there is no %s", e, key)
	case string(object.Body) != body:
		report("site of %s: %s: found %s, expected %s", e, key, object.Body, body)
	case object.Metadata["lockstep-env"] != string(e) || object.Metadata["lockstep-release"] != stamp:
		report("site of %s: %s: found the stamps %v, expected %s of %s", e, key, object.Metadata, e,
			stamp)
	}
}

// checkEvents: what events call is what serves.
func (w *world) checkEvents(report reporter, fallback sm.Environment) {
	client := lambda.NewFromConfig(w.config)
	for _, f := range w.stack.Settings.Functions {
		if !f.Live {
			continue
		}

		versions := map[string]string{}

		for _, alias := range []string{"live", string(fallback)} {
			out, err := client.GetAlias(w.t.Context(),
				&lambda.GetAliasInput{FunctionName: &f.Lambda, Name: &alias})
			if err != nil {
				report("alias %s:%s: %v", f.Lambda, alias, err)
				return
			}

			versions[alias] = *out.FunctionVersion
		}

		if versions["live"] != versions[string(fallback)] {
			report("%s: events call version %s, expected %s, which serves", f.Lambda, versions["live"],
				versions[string(fallback)])
		}
	}
}

// checkRest looks at what must always be so when nothing is under way.
func (w *world) checkRest(report reporter) {
	var lock sm.Lock
	w.read("ledger/lock.json", &lock)

	if lock.Holder != nil || len(lock.Queue) > 0 {
		report("lock: found %+v, expected nobody to hold it or wait", lock)
	}

	if schedules := w.stack.Cloud.Scheduler.List(); len(schedules) > 0 {
		report("schedules: found %d left, the first %s", len(schedules), schedules[0].Name)
	}

	if dead := w.stack.Cloud.Events.DeadLetters(); len(dead) > 0 {
		report("dead letters: %d, the first of %s: %v", len(dead), dead[0].Rule, dead[0].Err)
	}

	for _, e := range w.stack.Cloud.States.Executions() {
		if e.Status == asl.Running {
			report("execution %s still runs", e.Name)
		}
	}

	w.lock.Lock()
	defer w.lock.Unlock()

	for _, v := range w.violations {
		report("the fallback was written: %s", v)
	}

	for i := 1; i < len(w.routes); i++ {
		before, now := w.routes[i-1].route, w.routes[i].route
		if now.Release == before.Release && now.Active == before.Active && now.Weight < before.Weight &&
			now.Weight != 0 {
			report("the ramp fell from %d to %d", before.Weight, now.Weight)
		}
	}
}

// checkViewers asks the viewers what they saw, and sees for itself what a new one gets, and what
// those get who were in either environment.
func (w *world) checkViewers(report reporter) {
	if w.crowd == nil {
		return
	}
	// By now every edge location has heard of the last route, and whatever page is opened is the live
	// release's.
	time.Sleep(convergence)

	seen := w.crowd.Report()
	if seen.Mixed > 0 {
		report("%d mixed views, the first %+v", seen.Mixed, seen.MixedViews[0])
	}

	if seen.FailedOutsideBadRelease > 0 {
		report("%d requests failed, the first %+v", seen.FailedOutsideBadRelease, seen.Failures[0])
	}

	if seen.PageViews == 0 {
		report("nobody saw anything")
	}

	live := w.live_
	for _, cookie := range []string{"", "a.0123456789ab", "b.0123456789ab"} {
		if got := w.get("/", cookie); got.Header.Get("x-amz-meta-lockstep-release") != live {
			report("a viewer with the cookie %q gets the page of %q, expected %s", cookie,
				got.Header.Get("x-amz-meta-lockstep-release"), live)
		}
	}
}

// get is a viewer's request.
func (w *world) get(path, cookie string) *http.Response {
	w.t.Helper()

	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, origin+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}

	r.Header.Set("Sec-Fetch-Dest", "document")

	if cookie != "" {
		r.AddCookie(&http.Cookie{Name: "lockstep", Value: cookie})
	}

	response, err := inprocess.Transport(w.stack.Front).RoundTrip(r)
	if err != nil {
		w.t.Fatal(err)
	}

	_, _ = io.Copy(io.Discard, response.Body)

	return response
}

func (w *world) route() sm.Route {
	var r sm.Route

	value, _ := w.stack.Cloud.KeyValue.Read(w.stack.Settings.KeyValue, "route", time.Now())
	if err := json.Unmarshal([]byte(value), &r); err != nil {
		w.t.Errorf("route: found %q: %v", value, err)
	}

	return r
}

func (w *world) record(release string) (r sm.Record) {
	w.t.Helper()
	w.read("ledger/releases/"+release+".json", &r)

	return r
}

// read reads an object of the state bucket; one that is not there leaves into as it was.
func (w *world) read(key string, into any) {
	w.t.Helper()

	object, ok := w.stack.Cloud.S3.Get(w.stack.Settings.StateBucket, key)
	if !ok {
		return
	}

	if err := json.Unmarshal(object.Body, into); err != nil {
		w.t.Errorf("%s: %v", key, err)
	}
}

// took checks the states that a release's first execution went through, waits and choices left out.
func (w *world) took(release, path string) { w.t.Helper(); w.tookTimes(release, path) }

// tookTimes checks those of all its executions.
func (w *world) tookTimes(release string, paths ...string) {
	w.t.Helper()

	var got []string
	for _, e := range w.executions(release) {
		got = append(got, strings.Join(names(e), " "))
	}

	if !slices.Equal(got, paths) {
		w.t.Errorf("%s went\n  %s\nexpected\n  %s\n%s", release, strings.Join(got, "\n  "),
			strings.Join(paths, "\n  "), w.story())
	}
}

func (w *world) weighed(release string, want ...int) {
	w.t.Helper()

	if got := w.weights(release); !slices.Equal(got, want) {
		w.t.Errorf("%s had the weights %v, expected %v\n%s", release, got, want, w.story())
	}
}

// snapshot is all that a release could change, but for the ledger.
func (w *world) snapshot() string {
	w.lock.Lock()

	writes := 0
	for place, n := range w.writes {
		if place != "ledger" {
			writes += n
		}
	}
	w.lock.Unlock()
	roles, _ := w.stack.Cloud.SSM.Get("/lockstep/shop/environments")

	return fmt.Sprintf("%s, %+v, %d writes", roles, w.route(), writes)
}
