//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	sm "lockstep/statemachine"
)

var killed = flag.Bool("killed", false, "let TestLocal_Killed play the three releases and kill what runs them, which takes minutes")

// The process of each Lambda is killed while it works, in each release, and Postgres in the middle
// of the last one's expand: without a database that release goes back, as it would have for its
// bug. The three end as they should, and nobody sees two versions at once.
func TestLocal_Killed(t *testing.T) {
	if !*killed {
		t.Skip("only with -killed")
	}

	l, err := newLocal(t.Context(), options{once: true, views: 10})
	if err != nil {
		t.Fatal(err)
	}

	l.config.Alarms.Latency, l.config.Verdict.Slow = sm.Duration(time.Hour), 0 // a machine may be busy
	k := &killer{local: l, struck: map[string]bool{}, times: map[string]int{}}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})

	go func() { k.run(ctx); close(over) }()

	err = l.run(t.Context()) // it counts calls as failed that came while there was no database

	cancel()
	<-over

	for id, want := range map[string]sm.Outcome{"v1": sm.Released, "v2": sm.Released,
		"v3": sm.RolledBack} {
		if got := l.entry(id); got.Outcome != want || want == sm.Released && !got.contracted {
			t.Errorf("%s: found %+v, expected it to be %s: %v", id, got, want, err)
		}
	}

	if seen := l.report().Visitors; seen.Mixed > 0 || seen.PageViews == 0 {
		t.Errorf("%d page views, %d of them mixed", seen.PageViews, seen.Mixed)
	}

	short := k.cutShort()
	t.Logf("killed %v; %d calls were cut short", k.times, short)

	for _, task := range sm.Tasks() {
		if k.times[string(task)] == 0 {
			t.Errorf("no %s was killed", task)
		}
	}

	if k.times["Postgres"] == 0 || short < len(sm.Tasks()) {
		t.Error("too little was killed at work for this to say anything")
	}
}

// killer kills what runs a release, as kill -9 does.
type killer struct {
	local  *local
	struck map[string]bool // by release and state
	times  map[string]int  // by state
}

func (k *killer) run(ctx context.Context) {
	seen := map[string]bool{} // stays in a state

	for ; ctx.Err() == nil; time.Sleep(2 * time.Millisecond) {
		if k.local.gate.front.Load() == nil { // nothing is up yet
			continue
		}

		for _, e := range k.local.stack.Cloud.States.Executions() {
			if n := len(e.Path); n > 0 && e.Stopped.IsZero() {
				state := e.Path[n-1].State
				if stay := fmt.Sprint(e.ARN, n); !seen[stay] && k.strikes(e.Input, state) {
					seen[stay] = true
				}
			}
		}
	}
}

// strikes kills a Lambda that works in a state, the first time in each release.
func (k *killer) strikes(input, state string) bool {
	release := ""

	for _, id := range []string{"v1", "v2", "v3"} {
		if strings.Contains(input, `"`+id+`"`) {
			release = id
		}
	}

	if k.struck[release+state] {
		return true
	}

	pid := child(sm.LambdaName(k.local.config.App, sm.Task(state)))
	if pid == 0 { // it is not there yet, or nobody's
		return false
	}

	time.Sleep(15 * time.Millisecond) // in the middle of it

	if syscall.Kill(pid, syscall.SIGKILL) == nil {
		k.struck[release+state] = true
		k.times[state]++
	}

	if release == "v3" && state == string(sm.Expand) &&
		syscall.Kill(k.local.database.PID(), syscall.SIGKILL) == nil {
		k.times["Postgres"]++
	}

	return true
}

// child is a process of ours that runs a Lambda; 0 for none.
func child(function string) int {
	processes, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, exe := range processes {
		var (
			pid, parent int
			rest        string
		)

		path, err := os.Readlink(exe)
		if err != nil || !strings.HasPrefix(filepath.Base(filepath.Dir(path)), function+"-") {
			continue
		}

		stat, err := os.ReadFile(filepath.Join(filepath.Dir(exe), "stat"))
		if err != nil {
			continue
		}

		if _, err := fmt.Sscanf(string(stat), "%d (bootstrap) %1s %d", &pid, &rest,
			&parent); err == nil && parent == os.Getpid() {
			return pid
		}
	}

	return 0
}

// cutShort counts the calls of Lambdas that ended with their process.
func (k *killer) cutShort() (n int) {
	for _, e := range k.local.stack.Cloud.States.Executions() {
		history, _ := k.local.stack.Cloud.States.History(e.ARN)
		for _, event := range history {
			if event.TaskFailed != nil && strings.Contains(event.TaskFailed.Cause, "signal: killed") {
				n++
			}
		}
	}

	return n
}
