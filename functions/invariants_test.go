package functions_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/events"
	"lockstep/infra/local/cloud/lambda"
	sm "lockstep/statemachine"
)

// auditor holds what happens in an account against what must always hold, after every write that
// any Lambda makes and once more in the end. Its findings begin with the number that DESIGN gives
// to the rule.
type auditor struct {
	account
	gates
	schema *memorySchema
	tell   func(format string, args ...any)
	// bundles is what CI uploaded.
	bundles func(release string) *bundled

	lag       time.Duration // of the metrics
	mu        sync.Mutex
	found     []string
	before    lockObject
	lastRoute routeObject
	astray    bool // somebody swapped the roles by hand, which the next release mends
	attempts  []*attempt
	lost      map[string]time.Time // when an execution lost the lock
	records   map[string]recordObject
	lines     map[string][]string    // a release, and those it was put upon
	calls     map[string][]time.Time // of each environment's API
	ends      map[string][]string    // the outcomes that were announced of a release
}

// attempt is a release from the moment that it has the lock to the moment that it lets go.
type attempt struct {
	release, base, active string
	fence                 int64
	opened, ended         time.Time // when it got a record: from then on alarms are about it
	weighed               []weighing
	falling               time.Time // since when it is rolled back
	fallen                bool      // the route says so
	promoted              time.Time
	drained               time.Time    // when Drain looked last, or found it left and held it
	kept                  bool         // which it does
	spoken                bool         // the operator has hurried it, or it is a hotfix
	contract              bool         // the operator has said so
	approved              map[int]bool // by weight: what comes next
	doomed                string       // why it must be rolled back
	heard                 time.Time    // since when
	contracted            bool
	outcome               string
}

type weighing struct {
	at     time.Time
	weight int
}

func audit(acc account, s *memorySchema, tell func(string, ...any),
	bundles func(string) *bundled) *auditor {
	a := &auditor{account: acc, schema: s, tell: tell, bundles: bundles, lost: map[string]time.Time{},
		records: map[string]recordObject{},
		lines:   map[string][]string{}, calls: map[string][]time.Time{}, ends: map[string][]string{}}
	a.gates = gates{hotfixes: map[string]bool{}, urgent: map[string]bool{},
		disliked: map[string]bool{}, agreed: map[string]time.Time{}}
	a.lastRoute = a.route(0)
	s.expanding, s.contracting, s.narrowing = a.expanding, a.contracting, a.narrowing

	return a
}

func (a *auditor) wrong(rule int, format string, args ...any) {
	finding := fmt.Sprintf("%d: ", rule) + fmt.Sprintf(format, args...)
	if !slices.Contains(a.found, finding) {
		a.found = append(a.found, finding)
		a.tell("!!! %s", finding)

		if *first {
			fmt.Printf("found: %s\n", finding)
			os.Exit(1)
		}
	}
}

func (a *auditor) findings() []string {
	a.mu.Lock()
	defer a.mu.Unlock()

	return slices.Clone(a.found)
}

// now is the attempt that holds the lock.
func (a *auditor) now() *attempt {
	if n := len(a.attempts); n > 0 && a.before.Holder != nil &&
		a.attempts[n-1].fence == a.before.Holder.Fence {
		return a.attempts[n-1]
	}

	return nil
}

// inFlight is how long after the lock was lost a write may still arrive which was sent before:
// what AWS has no condition for can't be told from it.
const inFlight = time.Minute

var (
	aliasPath  = regexp.MustCompile(`/functions/` + app + `-([a-z]+)/aliases/([ab]|live)$`)
	sitePath   = regexp.MustCompile(`^/` + app + `-site-([ab])/(.+)$`)
	stagePath  = regexp.MustCompile(`/stages/api-([ab])$`)
	recordPath = regexp.MustCompile(`/ledger/releases/([^/]+)\.json$`)
)

// see looks at the account right after a call has taken effect.
func (a *auditor) see(r *http.Request, call cloud.Call, by *invocation) {
	if !isWrite(call.Operation) {
		return
	}

	a.mu.Lock()
	defer a.mu.Unlock()

	path := r.URL.Path
	switch {
	case strings.HasSuffix(path, "/ledger/lock.json"):
		a.sawLock(by)
	case recordPath.MatchString(path):
		a.sawRecord(recordPath.FindStringSubmatch(path)[1], by)
	case call.Operation == "UpdateAlias":
		found := aliasPath.FindStringSubmatch(path)
		if found[2] == sm.LiveAlias {
			a.sawLive(found[1], by)
			return
		}

		a.sawEnvironment(found[2], by, "the alias of "+found[1])
		a.sawAlias(found[1], found[2], by)
	case sitePath.MatchString(path):
		found := sitePath.FindStringSubmatch(path)
		if !strings.HasPrefix(found[2], "assets/") { // the same whoever writes them
			a.sawEnvironment(found[1], by, found[2])
			a.sawPage(found[1], found[2], by)
		} else if found[1] == a.route(0).Fallback {
			a.wrong(2, "%s writes %s into %s, which is the fallback", by, found[2], found[1])
		}
	case call.Operation == "UpdateStage":
		a.sawEnvironment(stagePath.FindStringSubmatch(path)[1], by, "the stage")
	case call.Service == "cloudfront-keyvaluestore":
		a.holds(by, "the route")
		a.sawRoute(by)
	case call.Operation == "PutParameter":
		a.holds(by, "the roles")

		a.astray = false
		if roles, route := a.roles(), a.route(0); a.has(by) && roles != route.rolesObject {
			a.wrong(1, "%s writes the roles %v, and the route has %v", by, roles, route.rolesObject)
		}
	}
}

// has tells whether whoever writes has the lock.
func (a *auditor) has(by *invocation) bool {
	return a.before.Holder != nil && a.before.Holder.Execution == by.execution
}

// holds makes sure that whoever writes has the lock, or had it a moment ago.
func (a *auditor) holds(by *invocation, what string) {
	if a.has(by) {
		return
	}
	// Its recovery seals the aliases, but it has more urgent things to do first.
	att := a.now()

	unsealed := strings.HasPrefix(what, "the alias") && att != nil && att.release == by.release
	if at, had := a.lost[by.execution]; !unsealed && (!had || time.Since(at) > inFlight) {
		a.wrong(4, "%s of %s writes %s without the lock", by, by.release, what)
	}
}

func (a *auditor) sawEnvironment(e string, by *invocation, what string) {
	a.holds(by, what+" of "+e)

	if e == a.route(0).Fallback {
		a.wrong(2, "%s of %s writes %s of %s, which is the fallback", by, by.release, what, e)
	}

	if att := a.now(); att != nil && by.task == sm.Rollback && att.falling.IsZero() {
		att.falling = time.Now()
	}
}

func (a *auditor) sawLock(by *invocation) {
	was, now := a.before, a.lock()

	a.before = now
	for _, p := range now.Queue {
		a.urgent[p.Release] = p.Hotfix
	}

	if now.Fence < was.Fence {
		a.wrong(4, "%s sets the fence from %d back to %d", by, was.Fence, now.Fence)
	}

	had, has := "", ""
	if was.Holder != nil {
		had = was.Holder.Execution
	}

	if now.Holder != nil {
		has = now.Holder.Execution
	}

	if had == has {
		return
	}

	if had != "" {
		a.lost[had] = time.Now()
	}

	switch {
	case has == "" && by.execution != had && by.task != sm.Recover: // which speaks for the dead
		a.wrong(4, "%s of %s lets go of the lock that %s holds", by, by.release, was.Holder.Release)
	case has != "" && now.Fence <= was.Fence:
		a.wrong(4, "the lock changes hands, and the fence stays %d", now.Fence)
	case has != "" && was.Holder != nil && was.Holder.Fence != now.Holder.Fence:
		a.wrong(4, "%s takes the lock of %s for %s", by, was.Holder.Release, now.Holder.Release)
	case has != "" && was.Holder == nil:
		route := a.route(0)
		if roles := a.roles(); roles != route.rolesObject && !a.astray || route.Weight != 0 {
			a.wrong(6, "%s begins with the roles %v and the route %v", now.Holder.Release, roles, route)
		}

		_, base := a.stage(route.Fallback)
		att := &attempt{release: now.Holder.Release, base: base, active: route.Active, fence: now.Fence,
			spoken: a.hotfixes[now.Holder.Release], approved: map[int]bool{}}
		a.sawBegin(was, now, by)
		a.attempts = append(a.attempts, att)
		a.lines[att.release] = append([]string{att.release}, a.lines[base]...)
	}
}

func (a *auditor) sawRecord(release string, by *invocation) {
	was, now := a.records[release], a.record(release)
	a.records[release] = now

	att := a.now()
	if att != nil && att.release == release && att.opened.IsZero() && now.Fence == att.fence {
		att.opened = time.Now()
	}

	if now.Fence < was.Fence {
		a.wrong(4, "%s sets the fence in the record of %s from %d back to %d", by, release, was.Fence,
			now.Fence)
	}
	// Begin adopts it, and Finish writes back what it found where a copy of a merge was refused.
	if by.execution != "" && by.execution != now.Execution && by.task != sm.Begin &&
		by.task != sm.Finish {
		a.wrong(4, "%s writes into the record of %s, which is another execution's", by, release)
	}

	if was.Outcome != "" && was.Execution == now.Execution && now.Outcome != was.Outcome {
		a.wrong(4, "%s: the outcome was %s, and %s makes it %q", release, was.Outcome, by, now.Outcome)
	}

	if att == nil || att.release != release || now.Execution != a.before.Holder.Execution {
		return
	}

	switch by.task {
	case sm.Drain:
		if !att.kept {
			att.drained, att.kept = time.Now(), now.Held != nil && now.Held.By == "drain"
		}
	case sm.Rollback:
		if att.falling.IsZero() {
			att.falling = time.Now()
		}
	}

	if now.Weight > was.Weight {
		a.sawGrowth(att, was.Weight, now.Weight, by)
	}

	if now.Contracted && !att.contracted {
		att.contracted = true
		a.leftAlone(att)
		a.sawContract(att)
	}

	if now.Outcome != "" && att.outcome == "" {
		att.outcome, att.ended = now.Outcome, time.Now()
		a.sawEnd(att, now)
	}
}

// leftAlone makes sure that nobody calls the old environment any more, when its schema may go.
func (a *auditor) leftAlone(att *attempt) {
	late := a.stack.Settings.EdgeConvergence.Std()
	if now, then := a.route(0), a.route(late); now.Fallback != att.active || now.Weight != 0 ||
		then.Fallback != att.active {
		a.wrong(5, "%s contracts, and the route is %v, and was %v a moment ago", att.release, now, then)
	}

	if none(att.base) {
		return
	}

	plan := a.stack.Settings.Drain
	if att.drained.Sub(att.promoted) >= plan.AtMost.Std() {
		return
	}

	seen := att.drained.Add(-a.lag) // what is younger nobody could know
	for _, at := range slices.Backward(a.calls[other(att.active)]) {
		if at.Before(seen) && seen.Sub(at) < plan.Quiet.Std() {
			a.wrong(5, "%s contracts, and %s was called %s before Drain looked", att.release,
				other(att.active), att.drained.Sub(at))

			return
		}
	}
}

// sawEnd looks at the account when a release that had the lock is over.
func (a *auditor) sawEnd(att *attempt, record recordObject) {
	roles, route := a.roles(), a.route(0)

	switch att.outcome {
	case "released":
		if roles.Fallback != att.active {
			a.wrong(4, "%s is released, and the roles are %v", att.release, roles)
		}

		if att.doomed != "" {
			a.wrong(8, "%s is released, although %s", att.release, att.doomed)
		}

		a.whole(1, att.active, att.release)
		a.followed(1, att.active)

		if b := a.bundles(att.release); b.manifest.Migrations != nil && record.Cause.Text == "" &&
			!a.schema.has(&a.schema.contracted, att.release) {
			a.wrong(5, "%s is released, and nothing says that it is not contracted", att.release)
		}
	case "rolledBack":
		if att.contracted {
			a.wrong(5, "%s is rolled back after contract", att.release)
		}

		if roles.Active != att.active && !a.astray {
			a.wrong(6, "%s is rolled back, and the roles are %v", att.release, roles)
		}

		if !none(att.base) {
			a.whole(6, att.active, att.base)
		}

		a.followed(6, other(att.active))

		if a.schema.has(&a.schema.expanded, att.release) {
			a.wrong(6, "%s is rolled back, and its schema is still there", att.release)
		}
	case "refused": // taken over before it began
		if len(att.weighed) > 0 {
			a.wrong(4, "%s is refused, after it had %d basis points", att.release, att.weighed[0].weight)
		}
	default:
		a.wrong(4, "%s had the lock, and is %s", att.release, att.outcome)
	}

	if route.Weight != 0 || roles != route.rolesObject && !a.astray {
		a.wrong(6, "%s ends, and the roles are %v and the route %v", att.release, roles, route)
	}
}

// sawAlias makes sure that an alias names this release's code or the fallback's, and that every
// function of a release is published before the first alias moves.
func (a *auditor) sawAlias(function, e string, by *invocation) {
	code, att := a.code(function, e), a.now()
	if code == a.code(function, other(e)) || att == nil {
		return
	}

	if code != a.digest(att.release, function) {
		a.wrong(1, "%s: the alias %s of %s names code that neither %s nor %s has", by, e, function,
			att.release, att.base)

		return
	}

	for name := range a.bundles(att.release).manifest.Functions {
		if digest := a.digest(att.release, name); !a.published(name, digest) {
			a.wrong(1, "%s moves the alias of %s before %s is published", by, function, name)
		}
	}
}

// sawLive makes sure that events call the release that serves, before as after a promotion. A
// write that was on its way when the lock was lost is looked at when the release ends.
func (a *auditor) sawLive(function string, by *invocation) {
	a.holds(by, "the alias of events of "+function)

	e := a.route(0).Fallback
	if holder := a.before.Holder; holder != nil && holder.Execution == by.execution &&
		a.code(function, sm.LiveAlias) != a.code(function, e) {
		a.wrong(1, "%s of %s lets events call %s, and it is not what %s has, which serves", by,
			by.release, function, e)
	}
}

// followed makes sure that events call what an environment carries.
func (a *auditor) followed(rule int, e string) {
	for _, f := range a.stack.Settings.Functions {
		if f.Live && a.code(f.Name, sm.LiveAlias) != a.code(f.Name, e) {
			a.wrong(rule, "events call another %s than viewers, who are in %s", f.Name, e)
		}
	}
}

var referred = regexp.MustCompile(`src="/(assets/[^"]+)"`)

func (a *auditor) sawPage(e, key string, by *invocation) {
	if att := a.now(); by.task == sm.Rollback && att != nil && len(att.weighed) == 0 {
		return // pages go first there, and nobody is sent to them
	}

	body, _, _ := a.page(e, key)
	for _, found := range referred.FindAllStringSubmatch(body, -1) {
		if _, _, ok := a.page(e, found[1]); !ok {
			a.wrong(1, "%s writes %s of %s before %s is there", by, key, e, found[1])
		}
	}
}

func (a *auditor) sawRoute(by *invocation) {
	was, now := a.lastRoute, a.route(0)
	a.lastRoute = now

	att := a.now()
	if now == was || att == nil {
		return
	}

	a.tell("route: %d to %s of %s", now.Weight, now.Active, now.Release)

	if now.Release != att.release {
		a.wrong(3, "%s writes the route of %s while %s has the lock", by, now.Release, att.release)
	}

	last := 0
	if n := len(att.weighed); n > 0 {
		last = att.weighed[n-1].weight
	}

	switch {
	case now.Fallback == att.active && now.Weight != 0:
		a.wrong(3, "%s swaps the roles with the weight %d", by, now.Weight)
	case now.Fallback == att.active:
		if last != sm.FullWeight && !none(att.base) {
			a.wrong(3, "%s is promoted at %d", att.release, last)
		}

		att.promoted = time.Now()
		a.grows(att, by)
	case now.Weight == 0: // Deploy writes it too, for the testers
		att.fallen = att.fallen || by.task == sm.Rollback
		if att.falling.IsZero() && (last > 0 || by.task == sm.Rollback) {
			att.falling = time.Now()
		}
	case now.Weight < last:
		a.wrong(3, "%s falls from %d to %d", att.release, last, now.Weight)
	default:
		if last == 0 {
			a.sawFirstViewers(att, now.Weight)
		}

		if decided := a.records[att.release].Weight; now.Weight > decided {
			a.wrong(3, "%s gets %d, and its record says %d", att.release, now.Weight, decided)
		}

		a.grows(att, by)
		att.weighed = append(att.weighed, weighing{time.Now(), now.Weight})
	}
}

// onItsWay is how long a write may take that was sent before anything forbade it.
const onItsWay = 10 * time.Second

// grows looks at the active environment before more viewers go there.
func (a *auditor) grows(att *attempt, by *invocation) {
	if !att.falling.IsZero() && (att.fallen || !by.began.Before(att.falling) ||
		time.Since(att.falling) > onItsWay) {
		a.wrong(3, "%s lets %s grow again after it was rolled back", by, att.release)
	}

	if att.doomed != "" && time.Since(att.heard) > onItsWay {
		a.wrong(8, "%s lets %s grow, although %s", by, att.release, att.doomed)
	}

	a.whole(1, att.active, att.release)

	if len(att.weighed) == 0 || att.spoken {
		return
	}

	last := att.weighed[len(att.weighed)-1]

	calls, since := 0, last.at
	if a.stack.Settings.Ramp.HarmBudget > 0 { // whose bakes are no longer than a look
		since = att.weighed[0].at
	}

	for _, at := range a.calls[att.active] {
		// a call is counted in the minute in which it ends
		if !at.Before(since.Truncate(time.Minute).Add(-time.Second)) {
			calls++
		}
	}

	if needed := a.stack.Settings.Ramp.MinimumRequests; calls < needed {
		a.wrong(3, "%s grows from %d after %d calls, and %d are needed", att.release, last.weight, calls,
			needed)
	}

	for _, step := range a.stack.Settings.Ramp.Steps {
		if int(step.Percent*100) == last.weight && time.Since(last.at) < step.Bake.Std()-2*time.Second {
			a.wrong(3, "%s bakes %s at %d, expected %s", att.release, time.Since(last.at), last.weight,
				step.Bake)
		}
	}
}

// whole makes sure that an environment is one release in every layer.
func (a *auditor) whole(rule int, e, release string) {
	alias, stamp := a.stage(e)
	if alias != e || stamp != release {
		a.wrong(rule, "%s should be %s, and its stage calls %s as %s", e, release, alias, stamp)
	}

	for _, f := range a.stack.Settings.Functions {
		if code := a.code(f.Name, e); code != a.digest(release, f.Name) {
			a.wrong(rule, "%s should be %s, and its alias of %s names other code", e, release, f.Name)
		}
	}

	builder := a.builder(release, "site")
	if builder == "" {
		return
	}

	if _, stamp, ok := a.page(e, "index.html"); !ok || stamp != release {
		a.wrong(rule, "%s should be %s, and its page is that of %q", e, release, stamp)
	}

	if body, _, ok := a.page(e, "assets/app-"+builder+".js"); !ok || body != asset(builder) {
		a.wrong(rule, "%s should be %s, and its asset is %q", e, release, body)
	}

	if c := a.carries(e); !c.Settled || c.Release != release {
		a.wrong(rule, "%s should be %s, and the ledger says %+v", e, release, c)
	}
}

// builder is the release that built a layer which a release shows; "" for none.
func (a *auditor) builder(release, layer string) string {
	for _, r := range a.lines[release] {
		b := a.bundles(r)
		if _, ok := b.manifest.Functions[layer]; ok || layer == "site" && b.manifest.Site != nil {
			return r
		}
	}

	return ""
}

func (a *auditor) digest(release, function string) string {
	builder := a.builder(release, function)
	if builder == "" {
		return lambda.Digest(placeholder)
	}

	return lambda.Digest(codeOf(builder, function))
}

// codeOf is the zip that CI made of a function.
func codeOf(release, function string) []byte {
	return zipOf(map[string]string{"bootstrap": function + " of " + release})
}

// fenced makes sure that who changes the schema says under which fence: the database refuses no
// other.
func (a *auditor) fenced(release string, fence int64) {
	if fence == 0 {
		a.wrong(4, "the schema is changed for %s under no fence", release)
	}
}

func (a *auditor) expanding(release string, fence int64) {
	a.mu.Lock()
	defer a.mu.Unlock()

	a.fenced(release, fence)

	if att := a.now(); att == nil || att.release != release {
		a.wrong(4, "the schema is expanded for %s, which has not the lock", release)
	}
}

func (a *auditor) contracting(release string, fence int64) {
	a.mu.Lock()
	defer a.mu.Unlock()

	a.fenced(release, fence)

	if att := a.now(); att == nil || att.release != release || !att.contracted {
		a.wrong(5, "the schema is contracted for %s, and its record does not say so", release)
	}
}

func (a *auditor) narrowing(release string, fence int64) {
	a.mu.Lock()
	defer a.mu.Unlock()

	a.fenced(release, fence)

	if att := a.now(); att == nil || att.release != release || att.falling.IsZero() {
		a.wrong(6, "the schema of %s is taken back, and it is not rolled back", release)
	}
}

// called notes a request of a viewer, or of whoever else calls an API.
func (a *auditor) called(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, e := range []string{"a", "b"} {
			if strings.HasPrefix(r.URL.Path, "/api-"+e+"/") {
				a.mu.Lock()
				a.calls[e] = append(a.calls[e], time.Now())
				a.mu.Unlock()
			}
		}

		next.ServeHTTP(w, r)
	})
}

// hear notes the ends that are announced.
func (a *auditor) hear(e events.Event) {
	var change struct{ Release, State, Outcome string }
	if e.Source != "lockstep" || json.Unmarshal(e.Detail, &change) != nil || change.State != "Finish" {
		return
	}

	a.mu.Lock()
	defer a.mu.Unlock()

	a.ends[change.Release] = append(a.ends[change.Release], change.Outcome)
}

// listening is called before Signal hears something, and what it returns after Signal has taken it
// in: from then on a word to roll back and an alarm of the active environment must be obeyed.
func (a *auditor) listening(payload []byte) (taken func()) {
	a.mu.Lock()
	defer a.mu.Unlock()

	var event struct {
		DetailType string `json:"detail-type"`
		Time       time.Time
		Detail     struct {
			Action, Release, AlarmName string
			State                      struct{ Value string }
		}
	}

	att := a.now()
	if json.Unmarshal(payload, &event) != nil || att == nil || event.Detail.Release != "" &&
		event.Detail.Release != att.release {
		return func() {}
	}

	said := event.Detail.Action
	switch said {
	case "advance", "promote":
		att.spoken = true
	case "contract":
		att.contract = true
	case "approve":
		att.approved[a.records[att.release].Weight] = true
	}

	alarm := event.Detail.State.Value == "ALARM" &&
		strings.HasPrefix(event.Detail.AlarmName, app+"-"+att.active+"-")

	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()

		record := a.record(att.release)

		// from before, for all that a clock can tell
		early := event.Time.Before(att.opened.Add(10 * time.Second))
		if att != a.now() || early || record.Ended != nil || record.Contracted ||
			record.Execution != a.before.Holder.Execution {
			return
		}

		if said == "rollback" || alarm && !slices.Contains(record.Ringing, event.Detail.AlarmName) {
			att.heard = time.Now()
			att.doomed = fmt.Sprintf("%s%s was heard at %s", said, event.Detail.AlarmName,
				time.Now().Format(time.TimeOnly))
		}
	}
}

// rolledBack tells whether a release was being rolled back at some time from opened to closed.
func (a *auditor) rolledBack(release string, opened, closed time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()

	for _, att := range a.attempts {
		over := att.ended
		if over.IsZero() {
			over = time.Now()
		}

		if att.release == release && !att.falling.IsZero() && !closed.Before(att.falling) &&
			!opened.After(over) {
			return true
		}
	}

	return false
}

// line is a release and those that it was put upon.
func (a *auditor) line(release string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()

	return a.lines[release]
}

// live is the release that everybody has.
func (a *auditor) live() string {
	a.mu.Lock()
	defer a.mu.Unlock()

	live := ""

	for _, att := range a.attempts {
		if att.outcome == "released" {
			live = att.release
		}
	}

	return live
}

func none(release string) bool { return release == "" || release == "none" || release == "-" }
