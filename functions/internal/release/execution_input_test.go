package release

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"lockstep/statemachine"
)

func merge(detail string) string {
	return fmt.Sprintf(`{"id": "1", "source": "lockstep.ci", "detail-type": "Release Merged", "time": "2024-05-01T12:00:00Z", "detail": %s}`, detail)
}

func created(key string) string {
	return fmt.Sprintf(`{"id": "1", "source": "aws.s3", "detail-type": "Object Created", "detail": {"bucket": {"name": "state"}, "object": {"key": %q, "size": 5}}}`, key)
}

func TestParseTrigger(t *testing.T) {
	for name, c := range map[string]struct {
		event string
		want  Trigger
	}{
		"a merge": {merge(`{"app": "shop", "release": "v2", "sequence": 2}`),
			Trigger{Release: "v2", Sequence: 2}},
		"an upload":  {created("releases/v2/release.json"), Trigger{Release: "v2"}},
		"typed":      {`{"release": "v2"}`, Trigger{Release: "v2", Deliberate: true}},
		"the newest": {` {} `, Trigger{Deliberate: true}},
		"taking over the dead": {`{"release": "v2", "recover": "arn:dead"}`,
			Trigger{Release: "v2", Recover: "arn:dead", Deliberate: true}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseTrigger(json.RawMessage(c.event), "shop")
			if err != nil || got != c.want {
				t.Errorf("found %+v (%v), expected %+v", got, err, c.want)
			}
		})
	}
}

func TestParseTrigger_Refuses(t *testing.T) {
	for name, c := range map[string]struct{ event, says string }{
		"nothing":  {``, `found , expected a JSON object`},
		"not JSON": {`v2`, `found v2, expected a JSON object`},
		"a text":   {`"v2"`, `found "v2", expected a JSON object`},
		"a list":   {`["v2"]`, `expected a JSON object`},
		"null":     {`null`, `expected a JSON object`},
		"a misspelled field": {`{"relaese": "v2"}`,
			`relaese: found a field that is not known; is it misspelled?; expected {"release":"v56"}`},
		"a number": {`{"release": 2}`, `release: found a number, expected a string`},
		"an empty release": {`{"release": ""}`,
			`release: found "", expected an id, or {} for the newest`},
		"a release that climbs": {`{"release": "../v2"}`, `release: found "../v2"`},
		"another app": {merge(`{"app": "blog", "release": "v2", "sequence": 2}`),
			`detail.app: found "blog", expected "shop"`},
		"a merge of nothing": {merge(`{"app": "shop", "sequence": 2}`),
			`detail.release: found nothing`},
		"a merge with more": {merge(`{"app": "shop", "release": "v2", "branch": "main"}`),
			`detail.branch: found a field that is not known`},
		"a sequence in words": {merge(`{"app": "shop", "release": "v2", "sequence": "2"}`),
			`detail.sequence: found a string, expected a whole number`},
		"no detail": {`{"source": "lockstep.ci", "detail-type": "Release Merged"}`,
			`detail`},
		"a merge from elsewhere": {`{"source": "aws.s3", "detail-type": "Release Merged", "detail": {}}`,
			`detail-type: found "Release Merged" from "aws.s3", expected`},
		"another event": {`{"source": "aws.s3", "detail-type": "Object Deleted", "detail": {}}`,
			`detail-type: found "Object Deleted"`},
		"another object": {created("releases/v2/site.zip"),
			`detail.object.key: found "releases/v2/site.zip", expected releases/<id>/release.json`},
		"another folder":    {created("v2/release.json"), `detail.object.key: found`},
		"a deeper folder":   {created("releases/v2/x/release.json"), `release: found "v2/x"`},
		"no release at all": {created("releases//release.json"), `detail.object.key`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseTrigger(json.RawMessage(c.event), "shop")
			if err == nil || !strings.HasPrefix(err.Error(), "execution input: ") ||
				!strings.Contains(err.Error(), c.says) {
				t.Errorf("found %+v, %v, expected %s", got, err, c.says)
			}

			if statemachine.Name(err) != statemachine.InvalidRelease {
				t.Errorf("%v is named %q", err, statemachine.Name(err))
			}
		})
	}
}

func FuzzParseTrigger(f *testing.F) {
	f.Add([]byte(merge(`{"app": "shop", "release": "v2", "sequence": 2}`)))
	f.Add([]byte(created("releases/v2/release.json")))
	f.Add([]byte(`{"release": "v2", "recover": "arn"}`))
	f.Fuzz(func(t *testing.T, event []byte) {
		trigger, err := ParseTrigger(event, "shop")
		switch {
		case err != nil && statemachine.Name(err) != statemachine.InvalidRelease:
			t.Fatalf("%v is named %q", err, statemachine.Name(err))
		case err == nil && trigger.Release != "" && !statemachine.ValidReleaseID(trigger.Release):
			t.Fatalf("accepted the release %q", trigger.Release)
		case err == nil && trigger.Release == "" && !trigger.Deliberate:
			t.Fatalf("nobody asked for the newest: %s", event)
		}
	})
}
