package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"lockstep/statemachine"
)

// ramping is an account in which v2 bakes at 5 % and v3 waits.
func ramping(t *testing.T) *account {
	a := newAccount(t)
	now := time.Now()
	a.put(statemachine.LockKey, statemachine.Lock{
		Holder: &statemachine.Holder{Release: "v2"}, Queue: []statemachine.QueueEntry{{Release: "v3",
			Sequence: 3, TaskToken: "secret-token", Since: now}},
	})
	a.put(statemachine.EnvironmentKey(statemachine.A),
		statemachine.EnvironmentState{Release: "v1", InSync: true})
	a.put(statemachine.EnvironmentKey(statemachine.B),
		statemachine.EnvironmentState{Release: "v2", InSync: true})
	a.put(statemachine.RecordKey("v2"), statemachine.Record{
		Release: "v2", Sequence: 2, State: statemachine.Ramp, Began: now, Weight: 500,
		Wait: &statemachine.Wait{TaskToken: "secret-token", Until: now.Add(time.Minute)},
		Events: []statemachine.Event{
			{At: now, State: statemachine.CheckAlarms, Kind: statemachine.EventVerdict,
				Text: "healthy at 1 %: 20 calls"},
			{At: now, State: statemachine.Ramp, Text: "5 % of the viewers"},
		},
	})

	return a
}

func TestStatus_Plain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := ramping(t).expect(0, "status")
		for _, want := range []string{
			"shop  v2  Ramp", "[5 %]  100 %   active has 5 %, bakes until", "(1m0s left)", "healthy at 1 %: 20 calls",
			"a        fallback  v1", "b        active    v2", "v3, since", "5 % of the viewers",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("want %q in\n%s", want, text)
			}
		}

		if strings.Contains(text, "\x1b") {
			t.Errorf("colors where nobody can see them:\n%q", text)
		}
	})
}

func TestStatus_JSON(t *testing.T) {
	text := ramping(t).expect(0, "status", "--json")

	var st status
	if err := json.Unmarshal([]byte(text), &st); err != nil {
		t.Fatal(err)
	}

	if st.Release != "v2" || !st.UnderWay || st.Weight != 500 || st.Ramp[0].Weight != 500 ||
		st.Queue[0].Release != "v3" ||
		st.Environments["b"] != (environmentStatus{"active", "v2", true}) {
		t.Errorf("got %+v", st)
	}

	if strings.Contains(text, "secret-token") {
		t.Error("a task token is a key to the release: it must not be shown")
	}
}

func TestStatus_TheLastRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t)
		if text := a.expect(0, "status"); !strings.Contains(text, "no release yet") {
			t.Errorf("got %s", text)
		}

		for _, r := range []statemachine.Record{
			{Release: "v9", Outcome: statemachine.Released}, {Release: "v10",
				Outcome: statemachine.RolledBack, Cause: statemachine.Cause{Text: "alarm errors-b"}},
		} {
			a.put(statemachine.RecordKey(r.Release), r)
			time.Sleep(time.Minute)
		}

		if text := a.expect(0, "status"); !strings.Contains(text, "v10  rolled back") ||
			!strings.Contains(text, "alarm errors-b") {
			t.Errorf("got %s", text)
		}

		if text := a.expect(0, "status", "v9"); !strings.Contains(text, "v9  released") {
			t.Errorf("got %s", text)
		}
	})
}

func TestStatus_Watch_TellsEachLineOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ramping(t)

		ctx, interrupt := context.WithTimeout(t.Context(), 10*time.Second)
		defer interrupt()

		go func() {
			time.Sleep(5 * time.Second)
			a.put(statemachine.RecordKey("v2"), statemachine.Record{Release: "v2",
				Events: []statemachine.Event{
					{State: statemachine.CheckAlarms, Kind: statemachine.EventVerdict,
						Text: "healthy at 1 %: 20 calls"}, {State: statemachine.Ramp, Text: "5 % of the viewers"},
					{State: statemachine.Rollback, Text: "rolling back"},
				}})
		}()

		var out, errs bytes.Buffer

		code := run(ctx, []string{"--state-bucket=state", "status", "--watch"}, &out, &errs,
			func(context.Context) (aws.Config, error) { return a.config, nil })
		if code != 0 || errs.Len() > 0 || strings.Count(out.String(), "\n") != 3 ||
			!strings.Contains(out.String(), "rolling back") {
			t.Errorf("exit %d\n%s%s", code, &out, &errs)
		}
	})
}

// A harm budget has no steps to show, but a share and a look to come.
func TestStatusRows_HarmBudget(t *testing.T) {
	now := time.Now()
	until := now.Add(time.Minute)

	st := status{App: "shop", Release: "v2", UnderWay: true, State: statemachine.Ramp, Weight: 37,
		BakeUntil: &until, Began: &now}
	if text := strings.Join(statusRows(st, now, false), "\n"); !strings.Contains(text,
		"ramp     active has 0.37 %, bakes until") {
		t.Errorf("got\n%s", text)
	}
}

// Tried again, a release has no verdict yet: that of the first attempt is not about this one.
func TestStatus_VerdictOfAnEarlierAttempt(t *testing.T) {
	var st status

	began := time.Now()
	st.add(statemachine.Record{Began: began, Events: []statemachine.Event{
		{At: began.Add(-time.Hour), State: statemachine.CheckAlarms, Kind: statemachine.EventVerdict,
			Text: "breached at 5 %"}, {At: began, State: statemachine.Begin, Text: "v2 begins in b"}}})

	if st.Verdict != "" {
		t.Errorf("found the verdict %q", st.Verdict)
	}
}

func TestStatusRows_Terminal(t *testing.T) {
	now := time.Now()

	st := status{App: "shop", Release: "v2", UnderWay: true, State: statemachine.Ramp, Weight: 500,
		Ramp: []rampStep{{5, 500, 0}, {100, 10000, 0}}}
	for range 100 {
		st.Events = append(st.Events, statemachine.Event{At: now, State: statemachine.Ramp,
			Text: "two\nlines"})
	}

	rows := statusRows(st, now, true)
	if len(rows) > 22 {
		t.Errorf("%d rows do not fit on a screen", len(rows))
	}

	for _, r := range rows {
		if strings.Contains(r, "\n") {
			t.Errorf("a row of two lines: %q", r)
		}
	}

	if !strings.Contains(strings.Join(rows, "\n"), "\x1b[32;1m[5 %]\x1b[0m") {
		t.Error("the step reached is not highlighted")
	}
}

func TestStatus_OfWhatHoldsIt(t *testing.T) {
	for by, want := range map[statemachine.HeldBy][]string{
		statemachine.HeldByOperator: {"paused", "lockstep resume"},
		statemachine.HeldByVerdict: {"inconclusive",
			"lockstep resume, advance, promote or rollback"},
		statemachine.HeldByApproval: {"waits for an approval", "lockstep approve or rollback"},
		statemachine.HeldByWindow:   {"outside its windows", "lockstep advance or rollback"},
		statemachine.HeldByFreeze:   {"frozen", "lockstep unfreeze or rollback"},
		statemachine.HeldByDrain:    {"held before contract", "lockstep contract or rollback"},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := ramping(t)
			a.put(statemachine.RecordKey("v2"), statemachine.Record{Release: "v2", Sequence: 2,
				State: statemachine.Ramp, Began: time.Now(), Weight: 500,
				Held: &statemachine.Held{By: by, Why: "it must wait"}})

			text := a.expect(0, "status")
			for _, want := range append(want, "held     it must wait") {
				if !strings.Contains(text, want) {
					t.Errorf("%s: want %q in\n%s", by, want, text)
				}
			}
		})
	}
}

func TestStatus_OfWhatWaits(t *testing.T) {
	a := ramping(t)
	if text := a.expect(0, "status", "v3"); !strings.Contains(text, "v3  queued") {
		t.Errorf("got\n%s", text)
	}

	a.expect(exitRefused, "status", "v4")
}

func TestStatus_OncePromoted(t *testing.T) {
	a, now := ramping(t), time.Now()
	a.put(statemachine.RecordKey("v2"), statemachine.Record{Release: "v2", Sequence: 2,
		State: statemachine.Drain, Began: now, Promoted: &now, Weight: statemachine.FullWeight})

	if text := a.expect(0, "status"); !strings.Contains(text, "everyone has v2") ||
		strings.Contains(text, "active has") {
		t.Errorf("got\n%s", text)
	}

	a.put(statemachine.RecordKey("v2"), statemachine.Record{Release: "v2", Sequence: 2,
		State: statemachine.Rollback, Began: now, Promoted: &now, Cause: statemachine.Cause{Text: "alarm errors"}})

	if text := a.expect(0, "status"); strings.Contains(text, "everyone has v2") {
		t.Errorf("in its rollback: got\n%s", text)
	}
}

func TestStatus_OfAHotfix(t *testing.T) {
	a := ramping(t)
	a.put(statemachine.RecordKey("v2"), statemachine.Record{Release: "v2", Sequence: 2,
		State: statemachine.Deploy, Began: time.Now(), Hotfix: "the till is broken"})

	if text := a.expect(0, "status"); !strings.Contains(text, "hotfix   the till is broken") {
		t.Errorf("got\n%s", text)
	}
}

func TestFreeze_IsWhatStatusShowsUntilUnfreeze(t *testing.T) {
	a := ramping(t)
	if text := a.expect(0, "status"); strings.Contains(text, "frozen") {
		t.Errorf("before: got\n%s", text)
	}

	if text := a.expect(0, "freeze", "-m", "the sale"); !strings.Contains(text, "frozen: the sale") {
		t.Errorf("got %s", text)
	}

	if text := a.expect(0, "status"); !strings.Contains(text,
		"frozen   the sale; lockstep unfreeze") {
		t.Errorf("frozen: got\n%s", text)
	}

	a.expect(0, "unfreeze")

	if text := a.expect(0, "status"); strings.Contains(text, "frozen") {
		t.Errorf("after: got\n%s", text)
	}
}

func TestFreeze_NeedsAReason(t *testing.T) {
	a := ramping(t)
	for _, args := range [][]string{{"freeze"}, {"freeze", "--reason", " "},
		{"freeze", "--reason", "off"}} {
		if code, stdout, stderr := a.run(args...); code == 0 || !strings.Contains(stderr, "reason") {
			t.Errorf("%v: exit %d\n%s%s", args, code, stdout, stderr)
		}
	}
}
