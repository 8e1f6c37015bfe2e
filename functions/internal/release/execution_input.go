package release

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"lockstep/statemachine"
)

// Trigger is the input of an execution: which release it is for, and how it was started.
type Trigger struct {
	// Release is the release's id; "" asks for the newest.
	Release string
	// Sequence is the sequence number in a merge event; 0 if there is none.
	Sequence int64
	// Deliberate says that a person started the execution. A release that has ended may then be
	// tried again.
	Deliberate bool
	// Hotfix is the reason why the release skips its ramp; "" for a release that does not.
	Hotfix string
	// Recover is the ARN of the dead execution whose release this one finishes; "" for none.
	Recover string
}

// ParseTrigger reads the input of an execution of the application app. The input is one of
//
//   - a merge event: {"source": "lockstep.ci", "detail-type": "Release Merged", "detail": {...}},
//     whose detail is a statemachine.Merge
//   - the S3 event "Object Created" of a manifest, releases/<id>/release.json
//   - what a person typed: {"release": "v56", "hotfix": true, "reason": "..."}, or {} for the
//     newest release
//   - what Recover starts: {"release": "v56", "recover": "<ARN>"}
//
// Its errors are InvalidRelease and name the field, what was found and what is expected.
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
	case *envelope.DetailType == objectCreated && envelope.Source == sourceS3:
		trigger, err = uploaded(envelope.Detail)
	default:
		err = fmt.Errorf("detail-type: found %q from %q, expected %q from %q or %q from %q",
			*envelope.DetailType, envelope.Source, statemachine.DetailMerge, statemachine.SourceCI,
			objectCreated, sourceS3)
	}

	if err == nil {
		err = trigger.check()
	}

	if err != nil {
		return trigger, statemachine.Errorf(statemachine.InvalidRelease, "execution input: %w", err)
	}

	return trigger, nil
}

// The detail type and the source of S3's event for a new object.
const objectCreated, sourceS3 = "Object Created", "aws.s3"

// check refuses an id that no release can have. Repair holds the lock under an id of its own, so
// that one is valid where a dead execution is recovered.
func (t Trigger) check() error {
	repair := t.Recover != "" && t.Release == statemachine.RepairRelease
	if t.Release == "" || statemachine.ValidReleaseID(t.Release) || repair {
		return nil
	}

	return fmt.Errorf("release: found %q, expected 1 to 40 letters, digits, '.', '_' or '-', "+
		"and not %q", t.Release, statemachine.RepairRelease)
}

// typed reads an input that is no event.
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

	// A script with an empty variable does not ask for the newest release.
	if input.Release != nil && *input.Release == "" {
		return Trigger{}, fmt.Errorf("release: found \"\", expected an id, or {} for the newest")
	}

	reason, err := hotfix(input.Hotfix, input.Reason)

	return Trigger{Release: *cmp.Or(input.Release, new(string)), Recover: input.Recover,
		Deliberate: true, Hotfix: reason}, err
}

// hotfix is the reason of a hotfix, or "" if none is asked for. A hotfix without a reason is an
// error, and so is a reason without a hotfix.
func hotfix(asked bool, reason string) (string, error) {
	reason = strings.TrimSpace(reason)
	switch {
	case asked && reason == "":
		return "", errors.New("reason: found none, expected the reason why the release skips its ramp")
	case !asked && reason != "":
		return "", fmt.Errorf("reason: found %q without \"hotfix\": true, expected both or none", reason)
	}

	return reason, nil
}

// merged reads the detail of a merge event.
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

// uploaded reads the detail of the S3 event of a manifest.
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
