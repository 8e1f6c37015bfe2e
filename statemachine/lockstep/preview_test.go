package main

import (
	"encoding/json"
	"strings"
	"testing"

	"lockstep/statemachine"
)

// previewed is an account in which v2 was deployed, and nobody has it yet.
func previewed(t *testing.T) *account {
	a := newAccount(t)
	a.put(statemachine.SettingsKey, statemachine.Settings{App: "shop", StateBucket: "state",
		SiteURL: "https://shop.example"})
	a.put(statemachine.LockKey, statemachine.Lock{Holder: &statemachine.Holder{Release: "v2"}})
	a.put(statemachine.RecordKey("v2"), statemachine.Record{Release: "v2", State: statemachine.Probe,
		Active: statemachine.B, Preview: "LETMESEE"})

	return a
}

func TestPreview(t *testing.T) {
	text := previewed(t).expect(0, "preview")
	for _, want := range []string{
		"v2 is in environment b, which has 0 % of the viewers", "on   https://shop.example/?lockstep-preview=LETMESEE\n", "off  https://shop.example/?lockstep-preview=off\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in\n%s", want, text)
		}
	}
}

func TestPreview_JSON(t *testing.T) {
	var got preview
	if err := json.Unmarshal([]byte(previewed(t).expect(0, "preview", "/about", "--json")),
		&got); err != nil {
		t.Fatal(err)
	}

	want := preview{"v2", statemachine.B, 0, "https://shop.example/about?lockstep-preview=LETMESEE",
		"https://shop.example/about?lockstep-preview=off"}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestPreview_Refuses(t *testing.T) {
	a := previewed(t)
	for path, want := range map[string]string{"about": `found "about", expected one like /about`,
		"/a?b=c": "without a query", "/a#b": "without a query"} {
		if text := a.expect(exitRefused, "preview", path); !strings.Contains(text, want) {
			t.Errorf("%s: got %s, want %q", path, text, want)
		}
	}

	a.put(statemachine.RecordKey("v2"), statemachine.Record{Release: "v2", State: statemachine.Drain,
		Active: statemachine.B})

	if text := a.expect(exitRefused, "preview"); !strings.Contains(text, "v2 is in Drain") {
		t.Errorf("after the promotion: got %s", text)
	}

	a.put(statemachine.LockKey, statemachine.Lock{})
	if text := a.expect(exitRefused, "preview"); !strings.Contains(text, "no release is under way") {
		t.Errorf("got %s", text)
	}
}

// The status says that there is a preview, and never the secret: it is shown where many look.
func TestStatus_KeepsThePreviewsSecret(t *testing.T) {
	for _, args := range [][]string{{"status"}, {"status", "--json"}} {
		text := previewed(t)
		text.put(statemachine.EnvironmentKey(statemachine.B),
			statemachine.EnvironmentState{Release: "v2", InSync: true})

		got := text.expect(0, args...)
		if strings.Contains(got, "LETMESEE") || !strings.Contains(got, "preview") {
			t.Errorf("%v: got %s", args, got)
		}
	}
}
