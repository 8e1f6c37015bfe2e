package page

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	sm "lockstep/statemachine"
)

func TestView_Headline(t *testing.T) {
	tests := []struct {
		at         float64
		text, tone string
	}{
		{5, "Deploying v2 to b", "going"},
		{16, "25\u202f% of the viewers have v2", "going"},
		{33, "Everyone has v2", "going"},
		{40, "Everyone has v2", "good"},
		{61, "Rolling v3 back", "bad"},
		{63.5, "Rolling v3 back", "bad"},
		{70, "v3 was rolled back, everyone has v2", "bad"},
	}
	for _, test := range tests {
		got := viewOf(run.at(test.at)).Headline
		if got.Text != test.text || got.Tone != test.tone {
			t.Errorf("at %g: got %q (%s), want %q (%s)", test.at, got.Text, got.Tone, test.text, test.tone)
		}
	}
}

func TestView_HeadlineBeforeTheFirstRelease(t *testing.T) {
	got := viewOf(Snapshot{App: "shop"}).Headline
	if !strings.Contains(got.Detail, "Postgres is starting") {
		t.Errorf("no stack yet: got %+v, want that it is being set up", got)
	}

	s := Snapshot{App: "shop", Control: sm.Control{Active: sm.A, Fallback: sm.B}}
	if got := viewOf(s).Headline.Text; got != "Nothing has been released yet" {
		t.Errorf("a stack without a release: got %q", got)
	}
}

func TestView_Duties(t *testing.T) {
	for at, want := range map[float64][2]string{
		16: {"serves everyone else", "receives v2"},
		28: {"stands by", "receives v2"},
		40: {"receives the next release", "serves everyone"},
	} {
		e := viewOf(run.at(at)).Environments
		if got := [2]string{e[0].Duty, e[1].Duty}; got != want {
			t.Errorf("at %g: got %q, want %q", at, got, want)
		}
	}
}

func TestView_OfNothing(t *testing.T) {
	data, err := json.Marshal(viewOf(Snapshot{}))
	if err != nil {
		t.Fatal(err)
	}

	optional := strings.NewReplacer(`"began":null`, "", `"ended":null`, "", `"wait":null`, "")
	if strings.Contains(optional.Replace(string(data)), "null") {
		t.Errorf("got %s, want empty lists where there is nothing", data)
	}
}

func TestView_KeepsTaskTokensToItself(t *testing.T) {
	s := run.at(16)
	s.Records[1].Wait.TaskToken = "secret-token"
	s.Lock.Queue = []sm.QueueEntry{{Release: "v4", TaskToken: "secret-token"}}

	data, err := json.Marshal(viewOf(s))
	if err != nil {
		t.Fatal(err)
	}

	if strings.Contains(string(data), "secret-token") {
		t.Error("the page receives a task token, with which anyone could decide the ramp")
	}

	if !strings.Contains(string(data), `"queue":["v4"]`) {
		t.Errorf("got %s, want v4 in the queue", data)
	}
}

func TestView_Ramp(t *testing.T) {
	shares := func(at float64) (list []int) {
		for _, p := range viewOf(run.at(at)).Ramp.Points {
			list = append(list, p.Share)
		}

		return list
	}
	// The weight is 0 again after the promotion, but nobody moves: the curve stays where it is.
	if got, want := shares(40), []int{0, 500, 2500, 5000, 10000}; !slices.Equal(got, want) {
		t.Errorf("v2: got %v, want %v", got, want)
	}

	if got, want := shares(70), []int{0, 500, 2500, 0}; !slices.Equal(got, want) {
		t.Errorf("v3: got %v, want %v", got, want)
	}

	var kinds []string
	for _, m := range viewOf(run.at(70)).Ramp.Marks {
		kinds = append(kinds, m.Kind)
	}

	if want := []string{"healthy", "rollback", "alarm"}; !slices.Equal(kinds, want) {
		t.Errorf("v3's marks: got %v, want %v", kinds, want)
	}
}

func TestView_Environments(t *testing.T) {
	e := viewOf(run.at(16)).Environments
	if e[0].Role != "fallback" || e[0].Share != 7500 || e[1].Role != "active" || e[1].Share != 2500 {
		t.Errorf("got %+v, want a as fallback with 75 %% and b as active with 25 %%", e)
	}

	for _, l := range e[1].Layers {
		if l.Release != "v2" {
			t.Errorf("b's %s carries %q, want v2", l.Name, l.Release)
		}
	}
}

func TestView_Actions(t *testing.T) {
	held := func(by sm.HeldBy) func(*Snapshot) {
		return func(s *Snapshot) { s.Records[1].Held = &sm.Held{By: by, Why: "it must wait"} }
	}
	for name, test := range map[string]struct {
		at    float64
		given func(*Snapshot)
		want  []string
	}{
		"nothing is set up": {-70, nil, []string{}},
		"deploying":         {5, nil, []string{"freeze", "rollback"}},
		"in a bake": {16, nil,
			[]string{"freeze", "pause", "advance", "promote", "rollback"}},
		"paused": {16, func(s *Snapshot) { s.Records[1].Wait.Paused = &s.Now },
			[]string{"freeze", "resume", "advance", "promote", "rollback"}},
		"paused before a step": {16, held(sm.HeldByOperator),
			[]string{"freeze", "resume", "advance", "promote", "rollback"}},
		"without a verdict": {16, held(sm.HeldByVerdict),
			[]string{"freeze", "resume", "advance", "promote", "rollback"}},
		"outside of its windows": {16, held(sm.HeldByWindow),
			[]string{"freeze", "pause", "advance", "promote", "rollback"}},
		"waiting for approval": {16, held(sm.HeldByApproval),
			[]string{"freeze", "approve", "rollback"}},
		"held by a freeze": {16,
			func(s *Snapshot) { held(sm.HeldByFreeze)(s); s.Frozen = "Friday" },
			[]string{"unfreeze", "rollback"}},
		"frozen in a bake": {16, func(s *Snapshot) { s.Frozen = "Friday" },
			[]string{"unfreeze", "pause", "advance", "promote", "rollback"}},
		"draining":                {33, nil, []string{"freeze", "rollback"}},
		"drained, and held":       {33, held(sm.HeldByDrain), []string{"freeze", "contract", "rollback"}},
		"contracting":             {36, nil, []string{"freeze"}},
		"rolling back":            {61, nil, []string{"freeze"}},
		"rolled back":             {70, nil, []string{"freeze"}},
		"rolled back in a freeze": {70, func(s *Snapshot) { s.Frozen = "Friday" }, []string{"unfreeze"}},
	} {
		s := run.at(test.at)
		if test.given != nil {
			test.given(&s)
		}

		if got := viewOf(s).Actions; !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}

func TestView_HeadlineOfAHold(t *testing.T) {
	for by, ends := range map[sm.HeldBy]string{
		sm.HeldByApproval: "approve",
		sm.HeldByDrain:    "contract",
		sm.HeldByFreeze:   "once the freeze ends",
		sm.HeldByWindow:   "by itself",
		sm.HeldByVerdict:  "resume",
	} {
		s := run.at(16)
		s.Records[1].Held = &sm.Held{By: by, Why: "it must wait"}

		v := viewOf(s)
		if got := v.Headline; got.Tone != "held" ||
			!strings.HasPrefix(got.Detail, "Held: it must wait. ") || !strings.Contains(got.Detail, ends) {
			t.Errorf("%s: got %+v", by, got)
		}

		i := slices.IndexFunc(v.Machine.Main, func(s station) bool { return s.State == "Ramp" })
		if note := v.Machine.Main[i].Note; note != "held at "+percent(2500) ||
			v.Ramp.Wait.Stopped != "held" {
			t.Errorf("%s: got the note %q, and the ramp is %q", by, note, v.Ramp.Wait.Stopped)
		}
	}

	s := run.at(16)

	s.Records[1].Hotfix = "the till is broken"
	if got := viewOf(s).Headline.Detail; got != "A hotfix, without a ramp: the till is broken" {
		t.Errorf("a hotfix: got %q", got)
	}
}
