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
		Holder: &statemachine.Holder{Release: "v2"}, Queue: []statemachine.Parked{{Release: "v3", Sequence: 3, TaskToken: "secret-token", Since: now}},
	})
	a.put(statemachine.CarriesKey(statemachine.A), statemachine.Carries{Release: "v1", Settled: true})
	a.put(statemachine.CarriesKey(statemachine.B), statemachine.Carries{Release: "v2", Settled: true})
	a.put(statemachine.RecordKey("v2"), statemachine.Record{
		Release: "v2", Sequence: 2, State: statemachine.Ramp, Began: now, Weight: 500,
		Wait: &statemachine.Wait{TaskToken: "secret-token", Until: now.Add(time.Minute)},
		Story: []statemachine.Entry{
			{At: now, State: statemachine.CheckAlarms, Text: "healthy at 1 %: 20 calls"},
			{At: now, State: statemachine.Ramp, Text: "5 % of the viewers"},
		},
	})
	return a
}

func TestStatus_Plain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := ramping(t).expect(0, "status")
		for _, want := range []string{
			"shop  v2  Ramp", "[5 %]  100 %   active has 5 %, watched until", "(1m0s more)", "healthy at 1 %: 20 calls",
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
	if st.Release != "v2" || !st.UnderWay || st.Weight != 500 || st.Ramp[0].Weight != 500 || st.Queue[0].Release != "v3" ||
		st.Environments["b"] != (environmentView{"active", "v2", true}) {
		t.Errorf("got %+v", st)
	}
	if strings.Contains(text, "secret-token") {
		t.Error("a task token is a key to the release: it must not be shown")
	}
}

func TestStatus_TheLastRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t)
		if text := a.expect(0, "status"); !strings.Contains(text, "nothing was released yet") {
			t.Errorf("got %s", text)
		}
		for _, r := range []statemachine.Record{
			{Release: "v9", Outcome: statemachine.Released}, {Release: "v10", Outcome: statemachine.RolledBack, Cause: "alarm errors-b"},
		} {
			a.put(statemachine.RecordKey(r.Release), r)
			time.Sleep(time.Minute)
		}
		if text := a.expect(0, "status"); !strings.Contains(text, "v10  rolled back") || !strings.Contains(text, "alarm errors-b") {
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
			a.put(statemachine.RecordKey("v2"), statemachine.Record{Release: "v2", Story: []statemachine.Entry{
				{State: statemachine.CheckAlarms, Text: "healthy at 1 %: 20 calls"}, {State: statemachine.Ramp, Text: "5 % of the viewers"},
				{State: statemachine.Rollback, Text: "rolling back"},
			}})
		}()
		var out, errs bytes.Buffer
		code := run(ctx, []string{"--state-bucket=state", "status", "--watch"}, &out, &errs,
			func(context.Context) (aws.Config, error) { return a.config, nil })
		if code != 0 || errs.Len() > 0 || strings.Count(out.String(), "\n") != 3 || !strings.Contains(out.String(), "rolling back") {
			t.Errorf("exit %d\n%s%s", code, &out, &errs)
		}
	})
}

func TestRender_Terminal(t *testing.T) {
	now := time.Now()
	st := status{App: "shop", Release: "v2", UnderWay: true, State: statemachine.Ramp, Weight: 500, Ramp: []rampStep{{5, 500, 0}, {100, 10000, 0}}}
	for range 100 {
		st.Story = append(st.Story, statemachine.Entry{At: now, State: statemachine.Ramp, Text: "two\nlines"})
	}
	rows := render(st, now, true, 12)
	if len(rows) > 22 {
		t.Errorf("%d rows do not fit on a screen", len(rows))
	}
	for _, r := range rows {
		if strings.Contains(r, "\n") {
			t.Errorf("a row of two lines: %q", r)
		}
	}
	if !strings.Contains(strings.Join(rows, "\n"), "\x1b[32;1m[5 %]\x1b[0m") {
		t.Error("the step reached does not stand out")
	}
}
