package statemachine_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	. "lockstep/statemachine"
)

func TestParseSettings_RoundTrip(t *testing.T) {
	s := Settings{
		App: "shop", SiteBuckets: map[Environment]string{A: "site-a", B: "site-b"},
		Functions: []AppFunction{{Name: "catalog", Lambda: "shop-catalog"},
			{Name: "orders", Lambda: "shop-orders"}},
		Alarms: []Alarm{{"errors-a", A}, {"errors-b", B}, {"slow-a", A}},
		Ramp: RampPlan{Steps: []RampStep{{Percent: 5, Bake: Duration(90 * time.Second)}},
			OnInconclusive: Hold},
		Drain: DrainPlan{Quiet: Duration(time.Hour)},
	}

	got, err := ParseSettings(s.JSON())
	if err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("found %+v (%v), expected %+v", got, err, s)
	}

	if all, ofA := strings.Join(s.AlarmNames(), " "), strings.Join(s.AlarmNames(A),
		" "); all != "errors-a errors-b slow-a" || ofA != "errors-a slow-a" {
		t.Errorf("alarms %s, of a %s", all, ofA)
	}

	if err := s.CheckManifest("release.json", Manifest{Functions: map[string]Artifact{"basket": {}}}); Name(err) != InvalidRelease ||
		!strings.Contains(err.Error(), "release.json: functions.basket: not a function of shop, which has catalog, orders") {
		t.Errorf("got %v", err)
	}
}

func TestParseSettings_Refuses(t *testing.T) {
	for name, c := range map[string]struct{ json, says string }{
		"a duration in words": {`{"drain": {"quiet": "5 minutes"}}`,
			`settings.json: drain.quiet: found a value "5 minutes", expected a duration like "90s"`},
		"a duration in a list": {`{"ramp": {"steps": [{"percent": 5, "bake": "1x"}]}}`,
			`settings.json: ramp.steps.bake: found a value "1x", expected a duration`},
		"a duration as a number": {`{"callTimeout": 30}`,
			`settings.json: callTimeout: found a value 30, expected a duration`},
		"a duration below zero": {`{"callTimeout": "-1s"}`,
			`settings.json: callTimeout: found a value "-1s"`},
		"no duration": {`{"callTimeout": null}`,
			`settings.json: callTimeout: found a value null`},
		"a percentage in words": {`{"ramp": {"steps": [{"percent": "5"}]}}`,
			`settings.json: ramp.steps.percent: found a string, expected a number`},
		"a list for an object": {`{"database": []}`,
			`settings.json: database: found an array, expected an object`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseSettings([]byte(c.json)); err == nil ||
				!strings.HasPrefix(err.Error(), c.says) {
				t.Errorf("found %v, expected %s", err, c.says)
			}
		})
	}
}

// TestParseSettings_FromANewerLockstep holds that a release under way reads what a newer one wrote.
func TestParseSettings_FromANewerLockstep(t *testing.T) {
	if s, err := ParseSettings([]byte(`{"app": "shop", "ofTomorrow": {"x": 1}}`)); err != nil ||
		s.App != "shop" {
		t.Errorf("found %+v (%v), expected the field to be let through", s, err)
	}
}

func TestDuration_Text(t *testing.T) {
	var d Duration
	if err := d.UnmarshalText([]byte("1h30m")); err != nil || d.Std() != 90*time.Minute ||
		d.String() != "1h30m0s" {
		t.Errorf("found %s (%v)", d, err)
	}

	if err := d.UnmarshalText([]byte("soon")); err == nil ||
		!strings.Contains(err.Error(), `found "soon", expected a duration`) {
		t.Errorf("found %v", err)
	}
}
