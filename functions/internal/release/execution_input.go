// Package release has the rules of a release that need nothing but their arguments: what asks for
// one, what its bundle may hold, how its site is written, how its ramp grows, and what the metrics
// say of it: Judge weighs the evidence as a whole, Comparison is the sequential test behind it, to
// be fed period by period.
package release

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"lockstep/statemachine"
)

// Trigger is what an execution was started for.
type Trigger struct {
	// Release is the id; empty asks for the newest.
	Release string
	// Sequence is the one that the event names; zero where it names none.
	Sequence int64
	// Deliberate is true where a person started it: what ended may then be tried again.
	Deliberate bool
	// Hotfix is why the release skips its ramp; "" for one that does not.
	Hotfix string
	// Recover is the dead execution whose release is to be finished.
	Recover string
}

// ParseTrigger reads the input of an execution: a merge event, the S3 event of a new manifest, or
// what was typed into the console.
func ParseTrigger(event json.RawMessage, app string) (Trigger, error) {
	var envelope *struct { // a pointer, since null is no object
		DetailType *string         `json:"detail-type"`
		Source     string          `json:"source"`
		Detail     json.RawMessage `json:"detail"`
	}
	if err := json.Unmarshal(event, &envelope); err != nil || envelope == nil {
		return Trigger{}, statemachine.Errorf(statemachine.InvalidRelease,
			"execution input: found %.80s, expected a JSON object", event)
	}

	var (
		trigger Trigger
		err     error
	)

	switch {
	case envelope.DetailType == nil:
		trigger, err = typed(event)
	case *envelope.DetailType == statemachine.DetailMerge && envelope.Source == statemachine.SourceCI:
		trigger, err = merged(envelope.Detail, app)
	case *envelope.DetailType == "Object Created" && envelope.Source == "aws.s3":
		trigger, err = uploaded(envelope.Detail)
	default:
		err = fmt.Errorf("detail-type: found %q from %q, expected %q from %q or \"Object Created\" from "+
			"\"aws.s3\"",
			*envelope.DetailType, envelope.Source, statemachine.DetailMerge, statemachine.SourceCI)
	}

	// which holds the lock as if it were one
	repair := trigger.Recover != "" && trigger.Release == statemachine.RepairRelease
	if err == nil && trigger.Release != "" && !statemachine.ValidReleaseID(trigger.Release) &&
		!repair {
		err = fmt.Errorf("release: found %q, expected 1 to 40 letters, digits, '.', '_' or '-', and not "+
			"%q", trigger.Release, statemachine.RepairRelease)
	}

	if err != nil {
		return trigger, statemachine.Errorf(statemachine.InvalidRelease, "execution input: %w", err)
	}

	return trigger, nil
}

func typed(event json.RawMessage) (Trigger, error) {
	var input struct {
		Release *string `json:"release"`
		Recover string  `json:"recover"`
		Hotfix  bool    `json:"hotfix"`
		Reason  string  `json:"reason"`
	}
	if err := statemachine.DecodeStrict(event, &input); err != nil {
		return Trigger{}, fmt.Errorf("%w; expected {\"release\":\"v56\"}, or {} for the newest", err)
	}

	// a script whose variable is empty does not ask for the newest
	if input.Release != nil && *input.Release == "" {
		return Trigger{}, fmt.Errorf("release: found \"\", expected an id, or {} for the newest")
	}

	reason, err := hotfix(input.Hotfix, input.Reason)

	return Trigger{Release: *cmp.Or(input.Release, new(string)), Recover: input.Recover,
		Deliberate: true, Hotfix: reason}, err
}

// hotfix is the reason of a hotfix, which must have one.
func hotfix(asked bool, reason string) (string, error) {
	reason = strings.TrimSpace(reason)
	switch {
	case asked && reason == "":
		return "", fmt.Errorf("reason: found none, expected why it cannot wait: a hotfix skips the " +
			"ramp, and the record says why")
	case !asked && reason != "":
		return "", fmt.Errorf("reason: found %q without \"hotfix\": true, expected both or none", reason)
	}

	return reason, nil
}

func merged(detail json.RawMessage, app string) (Trigger, error) {
	var merge statemachine.Merge
	if err := statemachine.DecodeStrict(detail, &merge); err != nil {
		return Trigger{}, fmt.Errorf("detail.%w", err)
	}

	if merge.App != app {
		return Trigger{}, fmt.Errorf("detail.app: found %q, expected %q", merge.App, app)
	}

	if merge.Release == "" {
		return Trigger{}, fmt.Errorf("detail.release: found nothing, expected the id of a release")
	}

	reason, err := hotfix(merge.Hotfix, merge.Reason)
	if err != nil {
		return Trigger{}, fmt.Errorf("detail.%w", err)
	}

	return Trigger{Release: merge.Release, Sequence: merge.Sequence, Hotfix: reason}, nil
}

func uploaded(detail json.RawMessage) (Trigger, error) {
	var created struct {
		Object struct {
			Key string `json:"key"`
		} `json:"object"`
	}
	if err := json.Unmarshal(detail, &created); err != nil {
		return Trigger{}, fmt.Errorf("detail: %w", err)
	}

	id := strings.TrimSuffix(strings.TrimPrefix(created.Object.Key, statemachine.ReleasesPrefix),
		"/release.json")
	if id == "" || created.Object.Key != statemachine.ManifestKey(id) {
		return Trigger{}, fmt.Errorf("detail.object.key: found %q, expected releases/<id>/release.json",
			created.Object.Key)
	}

	return Trigger{Release: id}, nil
}
