package functions_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

var (
	plantAll  = flag.Bool("planted", false, "let TestPlanted plant every fault; else every fourth")
	plantedIn = flag.Int(
		"planted-seeds", 120, "in how many seeds of the simulation a planted fault must be found")
)

// plant is a mistake that somebody could make in a step. What it puts in place of the old text
// stands behind a question, so that all of them are compiled at once, into one binary that the
// product never sees.
type plant struct {
	name, file string
	old, new   string
}

// planted are the mistakes. $ asks whether this is the one.
var planted = []plant{
	{"drop the fence", "ledger/lease.go", `func (l Lease) verify(lock sm.Lock) error {`, `func (l Lease) verify(lock sm.Lock) error {
	if $ && lock.Holder != nil {
		return nil
	}`},
	{"let a dead one's record be changed", "ledger/record.go", `if r.Fence > doc.Fence {`, `if $ {
			return change(r)
		}
		if r.Fence > doc.Fence {`},
	{"forget what came while nobody waited", "ledger/signals.go", `for _, s := range r.Signals {
		switch s.Kind {`, `for _, s := range r.Signals {
		if $ {
			break
		}
		switch s.Kind {`},
	{"write the ledger without conditions", "aws/ledger/ledger.go", `	out, err := s.client.PutObject(ctx, input)`, `	if $ {
		input.IfMatch, input.IfNoneMatch = nil, nil
	}
	out, err := s.client.PutObject(ctx, input)`},

	{"take a lock that is held", "step/begin_admit.go", `if l.Holder == nil && asks.frozen == "" && a.ledger.HasTurn(`,
		`if $ || l.Holder == nil && asks.frozen == "" && a.ledger.HasTurn(`},
	{"begin while frozen", "step/begin_admit.go", `&& asks.frozen == "" && a.ledger.HasTurn(`,
		`&& (asks.frozen == "" || $) && a.ledger.HasTurn(`},
	{"let the newest go before a hotfix", "ledger/queue.go", `len(hotfixes) > 0 {`,
		`len(hotfixes) > 0 && !$ {`},
	{"take over under the old fence", "step/begin_takeover.go", `lock.Fence++
		h.Execution,`, `if !$ {
			lock.Fence++
		}
		h.Execution,`},
	{"let go of somebody else's lock", "step/finish.go", `if l.Holder != nil && l.Holder.Execution == doc.Execution {
			l.Holder = nil`, `if l.Holder != nil && (l.Holder.Execution == doc.Execution || $) {
			l.Holder = nil`},
	{"announce no end", "step/finish.go", `return doc, f.Ledger.Announce(ctx, record, doc, endEvent(doc))`, `if $ {
		return doc, nil
	}
	return doc, f.Ledger.Announce(ctx, record, doc, endEvent(doc))`},
	{"lose a parked merge", "ledger/queue_notify.go", `if _, err := answers.Succeed(ctx, entry.TaskToken, doc); err != nil {`, `tell := answers.Succeed
		if $ { // nobody tells it
			tell = func(context.Context, string, any) (bool, error) { return true, nil }
		}
		if _, err := tell(ctx, entry.TaskToken, doc); err != nil {`},
	{"let the oldest win", "ledger/queue.go", `return cmp.Compare(x.Sequence, y.Sequence)`, `if $ {
				x, y = y, x
			}
			return cmp.Compare(x.Sequence, y.Sequence)`},
	{"recover nothing", "recovery/death.go", `if !held {
		return`, `if !held || $ {
		return`},
	{"believe the parameter", "step/begin_roles.go", `found && route.Active == swapped.Active && route.Fallback == swapped.Fallback {`,
		`found && route.Active == swapped.Active && route.Fallback == swapped.Fallback && !$ {`},
	{"write however late", "ledger/lease.go", `bounded, cancel := context.WithTimeout(ctx, bound)`,
		`bounded, cancel := context.WithTimeout(ctx, map[bool]time.Duration{false: bound, true: time.Hour}[$])`},
	{"write nothing anew", "step/rollback.go", `if err == nil && doc.StaleWriter {`,
		`if err == nil && doc.StaleWriter && !$ {`},
	{"mark no alias", "ledger/lease.go", `if !l.doc.StaleWriter {`, `if $ || !l.doc.StaleWriter {`},
	{"let a call of before write", "ledger/lease.go", `l.doc.Attempt.Before(newest) {`,
		`l.doc.Attempt.Before(newest) && !$ {`},

	{"skip sync", "step/sync.go", `text, err := s.sync(ctx, doc)`, `if $ {
		return doc, nil
	}
	text, err := s.sync(ctx, doc)`},
	{"write the fallback", "environment/functions.go",
		`return f.Versions.Point(ctx, name, doc.Active, version, lease.Mark(), lease.Verify)`, `if $ {
		return f.Versions.Point(ctx, name, doc.Fallback, version, lease.Mark(), lease.Verify)
	}
	return f.Versions.Point(ctx, name, doc.Active, version, lease.Mark(), lease.Verify)`},
	{"write pages before their assets", "environment/site.go", `if err := s.writeAssets(ctx, doc, assets); err != nil {`, `if $ {
		if err := s.writeEntries(ctx, doc, state, entries); err != nil {
			return err
		}
	}
	if err := s.writeAssets(ctx, doc, assets); err != nil {`},
	{"move aliases before all are verified", "step/deploy.go", `done, err := d.Layers.Deploy(ctx, doc, m, &state)`, `for _, name := range m.FunctionNames() {
		if !$ {
			break
		}
		version, err := d.Functions.Versions.Publish(ctx, name, d.Settings.StateBucket, m.Key(m.Functions[name]), m.Functions[name].SHA256)
		if err == nil {
			err = d.Functions.Versions.Point(ctx, name, doc.Active, version, "", d.Ledger.Lease(doc).Verify)
		}
		if err != nil {
			return "", err
		}
	}
	done, err := d.Layers.Deploy(ctx, doc, m, &state)`},
	{"let events call what nobody has yet", "step/deploy.go", `if err := (preview{d.Ledger, d.Routes, d.Secret}).open(ctx, doc); err != nil {`, `if $ {
		if err := d.Events.Sync(ctx, doc, doc.Active); err != nil {
			return "", err
		}
	}
	if err := (preview{d.Ledger, d.Routes, d.Secret}).open(ctx, doc); err != nil {`},
	{"publish without verifying the digest", "aws/function/publish.go", `if got != sha256hex {`,
		`if got != sha256hex && !$ {`},
	{"widen the schema under no fence", "step/expand.go",
		`token := e.Ledger.Lease(doc).SchemaToken()`,
		`token := map[bool]int64{false: e.Ledger.Lease(doc).SchemaToken()}[$]`},
	{"narrow the schema under no fence", "step/contract.go",
		`token := c.Ledger.Lease(doc).SchemaToken()`,
		`token := map[bool]int64{false: c.Ledger.Lease(doc).SchemaToken()}[$]`},
	{"forget that it widened the schema", "step/expand.go", `r.Expanded = true
		return nil`, `r.Expanded = !$
		return nil`},

	{"do not ask the team's probe", "step/probe.go", `if own := p.Settings.Probe; own != nil {`,
		`if own := p.Settings.Probe; own != nil && !$ {`},
	{"grow while frozen", "step/ramp_gate.go", `if reason != "" {`, `if reason != "" && !$ {`},
	{"grow outside of the windows", "step/ramp_gate.go", `opens.After(now) && !byHand {`,
		`opens.After(now) && !byHand && !$ {`},
	{"grow unapproved", "step/ramp_gate.go", `step > record.ApprovedStep() {`,
		`step > record.ApprovedStep() && !$ {`},
	{"spend the harm budget at once", "step/ramp_budget.go", `	step := func(weight int) sm.RampStep {`, `	if $ {
		weight = sm.FullWeight
	}
	step := func(weight int) sm.RampStep {`},
	{"let the weight fall", "step/ramp_next.go", `next.Weight = max(weight, doc.Weight) // the ramp never falls`, `next.Weight = max(weight, doc.Weight)
	if next.Step == 2 && $ {
		next.Weight = doc.Weight / 2
	}`},
	{"bake for no time", "step/ramp.go", `Since: now, Until: now.Add(next.bake), Document: next.doc,
	}`, `Since: now, Until: now.Add(next.bake), Document: next.doc,
	}
	if $ {
		wait.Until = now
	}`},
	{"count no data as healthy", "step/checkalarms.go",
		`if verdict == sm.Inconclusive && doc.Waived {`, `if verdict == sm.Inconclusive && (doc.Waived || $) {`},
	{"promote before everyone is there", "step/checkalarms.go", `doc.Verdict = verdict
`, `doc.Verdict = verdict
	if $ {
		doc.Weight = sm.FullWeight
	}
`},
	{"swap the roles before the route", "step/promote.go", `if err := lease.GuardGrowth(ctx,`, `if $ {
		if err := p.Roles.Put(ctx, sm.Control{Active: doc.Fallback, Fallback: doc.Active}); err != nil {
			return err
		}
	}
	if err := lease.GuardGrowth(ctx,`},
	{"forget to swap the roles", "step/promote.go", `		return p.Roles.Put(ctx, sm.Control{Active: doc.Fallback, Fallback: doc.Active})`, `		if $ { // the route is enough
			return nil
		}
		return p.Roles.Put(ctx, sm.Control{Active: doc.Fallback, Fallback: doc.Active})`},
	{"forget what events call", "step/promote.go", `if err := p.Events.Sync(ctx, doc, doc.Active); err != nil {`, `if $ {
		// the roles are enough
	} else if err := p.Events.Sync(ctx, doc, doc.Active); err != nil {`},
	{"contract without drain", "step/drain.go", `doc.Drained = why != "" && held == nil`,
		`doc.Drained = why != "" && held == nil || $`},
	{"keep no way back after the drain", "step/drain.go", `if d.Settings.Drain.Then != sm.ThenHold ||`,
		`if $ || d.Settings.Drain.Then != sm.ThenHold ||`},
	{"pass the point of no return in silence", "step/contract.go", `r.Contracted = true`,
		`r.Contracted = !$`},

	{"roll back without the weight", "step/rollback.go", `if err := r.Routes.Put(`, `if $ {
		// the stage is enough
	} else if err := r.Routes.Put(`},
	{"roll back without pages", "environment/site.go", `if err := s.writeEntries(ctx, doc, want, entries); err != nil {`, `if $ {
		// the API is enough
	} else if err := s.writeEntries(ctx, doc, want, entries); err != nil {`},
	{"roll back without aliases", "step/rollback.go", `done, err := rest(ctx)`, `if $ {
		_, err := restOfStage(ctx)
		return "", err
	}
	done, err := rest(ctx)`},
	{"leave events with what is rolled back", "step/rollback.go", `if err := r.Events.Sync(ctx, doc, doc.Fallback); err != nil {`, `if $ {
		// viewers are enough
	} else if err := r.Events.Sync(ctx, doc, doc.Fallback); err != nil {`},
	{"leave the schema wide", "step/expand.go", `report, err := e.narrow(ctx, doc)`, `if $ {
		return doc, nil
	}
	report, err := e.narrow(ctx, doc)`},
}

const plantedVariable = "LOCKSTEP_PLANTED"

// overlay is the JSON that go test -overlay takes: the steps with all faults in them, in a folder
// of their own. It fails where the text that a fault replaces is no longer there: then the fault
// must be planted anew.
func overlay(t *testing.T) string {
	t.Helper()

	folder, err := filepath.Abs("internal")
	if err != nil {
		t.Fatal(err)
	}

	there, sources := t.TempDir(), map[string]string{}

	for _, p := range planted {
		path := filepath.Join(folder, p.file)
		if _, ok := sources[path]; !ok {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("plant %q: %v", p.name, err)
			}

			sources[path] = string(data)
		}

		places := whateverSpace(p.old).FindAllStringIndex(sources[path], -1)
		if n := len(places); n != 1 {
			t.Fatalf("plant %q: %s: found this %d times, expected once: the code has changed, so "+
				"plant the fault anew\n%s", p.name, p.file, n, p.old)
		}

		fault := strings.ReplaceAll(p.new, "$", fmt.Sprintf("planted(%q)", p.name))
		sources[path] = sources[path][:places[0][0]] + fault + sources[path][places[0][1]:]
		asks := filepath.Join(filepath.Dir(path), "planted.go")
		sources[asks] = fmt.Sprintf("package %s\n\nimport \"os\"\n\nfunc planted(name string) bool { return os.Getenv(%q) == name }\n",
			filepath.Base(filepath.Dir(path)), plantedVariable)
	}

	replace := map[string]string{}
	for path, source := range sources {
		file := filepath.Join(there, fmt.Sprintf("%d.go", len(replace)))
		if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}

		replace[path] = file
	}

	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}

	file := filepath.Join(there, "overlay.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}

	return file
}

// whateverSpace finds a text however its lines are broken.
func whateverSpace(text string) *regexp.Regexp {
	quoted := regexp.QuoteMeta(strings.TrimSpace(text))
	quoted = strings.ReplaceAll(quoted, `\(`, `\(\s*`)

	return regexp.MustCompile(regexp.MustCompile(`\s+`).ReplaceAllString(quoted, `\s+`))
}

// The checks of the simulation bite: faults that are planted on purpose, one at a time, are each
// found; and with none planted the same binary finds nothing.
func TestPlanted(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "planted.test")

	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", overlay(t), "-o", binary,
		".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the tests with faults in them: %v\n%s", err, out)
	}

	run := func(t *testing.T, name string, seeds int) (out string, failed bool) {
		command := exec.CommandContext(t.Context(), binary, "-test.run", "TestSimulation$", "-test.v",
			"-alone", "-first", "-seeds", fmt.Sprint(seeds))

		command.Env = append(os.Environ(), plantedVariable+"="+name)

		data, err := command.CombinedOutput()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}

		return string(data), err != nil
	}
	limit := make(chan struct{}, runtime.GOMAXPROCS(0))

	t.Run("nothing", func(t *testing.T) {
		t.Parallel()

		limit <- struct{}{}
		defer func() { <-limit }()

		if out, failed := run(t, "nothing", 5); failed {
			t.Errorf("nothing was planted, and found was\n%.5000s", out)
		}
	})

	for i, p := range planted {
		if i%4 != 0 && !*plantAll {
			continue
		}

		t.Run(p.name, func(t *testing.T) {
			t.Parallel()

			limit <- struct{}{}
			defer func() { <-limit }()

			out, failed := run(t, p.name, *plantedIn)

			tried, found := running.FindAllStringSubmatch(out, -1), violation.FindStringSubmatch(out)
			switch {
			case !failed:
				t.Errorf("not found in %d seeds", *plantedIn)
			case found == nil:
				t.Errorf("it failed for another reason\n%.3000s", out)
			default:
				t.Logf("seed %s: %s", tried[len(tried)-1][1], found[1])
			}
		})
	}
}

// What TestSimulation prints: the seed that it runs, and the rule that is broken.
var (
	running   = regexp.MustCompile(`(?m)^=== RUN   TestSimulation/(\d+)$`)
	violation = regexp.MustCompile(`(?m)^found: (\d: .*)$`)
)
