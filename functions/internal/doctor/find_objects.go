package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/routing"
	sm "lockstep/statemachine"
)

// The ledger's own objects, in what is wrong with them.
const (
	ObjectDeleted sm.FindingKind = "objectDeleted"
	ObjectDamaged sm.FindingKind = "objectDamaged"
	ObjectMissing sm.FindingKind = "objectMissing" // with all its versions
)

// objects reads the ledger into the view, and finds what of it is deleted, damaged or missing. It
// repairs by writing the previous version back, on the condition that the object is still the
// same: that is safe whoever has the lease.
type objects struct {
	archive Archive
	store   ledger.Store
	routes  routing.RouteStore
}

func (o objects) find(ctx context.Context, v *view) ([]finding, error) {
	var found []finding

	v.environments = map[sm.Environment]sm.EnvironmentState{}
	add := func(f *finding, err error) error {
		if f != nil {
			found = append(found, *f)
		}

		return err
	}

	if err := add(o.read(ctx, sm.LockKey, &v.lock, nil)); err != nil {
		return nil, err
	}

	if err := o.records(ctx, v, add); err != nil {
		return nil, err
	}

	for _, e := range sm.Environments() {
		if err := add(o.environment(ctx, v, e)); err != nil {
			return nil, err
		}
	}

	if err := o.named(ctx, v, add); err != nil {
		return nil, err
	}

	route, _, err := o.routes.Get(ctx)
	if err != nil && !sm.IsCorrupt(err) {
		return nil, err
	}

	v.roles = rolesOf(v.last(), route)

	return found, nil
}

// records reads the record of each release, and the repairs' own.
func (o objects) records(ctx context.Context, v *view, add func(*finding, error) error) error {
	keys, err := o.archive.List(ctx, sm.RecordsPrefix)
	if err != nil {
		return err
	}

	for _, key := range keys {
		var record sm.Record
		if err := add(o.record(ctx, key, &record)); err != nil {
			return err
		}

		v.newest = max(v.newest, record.Fence)

		if record.Release != sm.RepairRelease && record.Release != "" {
			v.records = append(v.records, record)
		}
	}

	slices.SortFunc(v.records, func(x, y sm.Record) int { return int(x.Fence - y.Fence) })

	return nil
}

// named reads the records of releases that the ledger names elsewhere: a deleted one is not listed.
func (o objects) named(ctx context.Context, v *view, add func(*finding, error) error) error {
	var releases []string
	for _, e := range sm.Environments() {
		releases = append(releases, v.environments[e].Release)
	}

	for _, id := range releases {
		if _, known := v.record(id); known || !sm.ValidReleaseID(id) {
			continue
		}

		key := sm.RecordKey(id)

		var record sm.Record
		if err := add(o.mustRead(ctx, key, &record)); err != nil {
			return err
		}

		if record.Release != "" {
			v.records = append(v.records, record)
		}
	}

	slices.SortFunc(v.records, func(x, y sm.Record) int { return int(x.Fence - y.Fence) })

	return nil
}

// environment reads the state of an environment. It must say that it is that environment's, and
// name a release where one was released there.
func (o objects) environment(
	ctx context.Context, v *view, e sm.Environment,
) (*finding, error) {
	released := slices.ContainsFunc(v.records, func(r sm.Record) bool {
		return r.Active == e && r.Outcome == sm.Released
	})
	used := slices.ContainsFunc(v.records, func(r sm.Record) bool { return r.Active == e })

	var state sm.EnvironmentState

	check := func() error {
		switch {
		case state.Environment == "" && !used:
			return nil
		case state.Environment != e:
			return fmt.Errorf("environment: found %q, expected %q", state.Environment, e)
		case state.Release == "" && released:
			return fmt.Errorf("release: found nothing, but a release was released in %s", e)
		}

		return nil
	}

	key := sm.EnvironmentKey(e)

	read := o.read
	if used {
		read = func(ctx context.Context, key string, into any, check func() error) (*finding, error) {
			f, err := o.read(ctx, key, into, check)
			if f == nil && err == nil && state.Environment == "" {
				return missing(key), nil
			}

			return f, err
		}
	}

	f, err := read(ctx, key, &state, check)
	v.environments[e], v.newest = state, max(v.newest, state.Fence)

	return f, err
}

// record reads the record of the release that its key names.
func (o objects) record(ctx context.Context, key string, record *sm.Record) (*finding, error) {
	return o.read(ctx, key, record, func() error {
		if sm.RecordKey(record.Release) != key {
			return fmt.Errorf("release: found %q, expected that of the key", record.Release)
		}

		return nil
	})
}

// mustRead is record for one that must be there.
func (o objects) mustRead(ctx context.Context, key string, record *sm.Record) (*finding, error) {
	f, err := o.record(ctx, key, record)
	if f == nil && err == nil && record.Release == "" {
		return missing(key), nil
	}

	return f, err
}

func missing(key string) *finding {
	return &finding{alone: true, Finding: sm.Finding{
		Kind: ObjectMissing, Subject: key,
		Text: key + " is missing, with every previous version; restore it from a backup",
	}}
}

// read decodes an object. It is a finding where the object was deleted, or cannot be decoded or
// checked: then the newest version that can takes its place.
func (o objects) read(
	ctx context.Context, key string, into any, check func() error,
) (*finding, error) {
	data, etag, err := o.archive.Raw(ctx, key)
	if err != nil || data == nil {
		return nil, err
	}

	valid := func(data []byte) error {
		if err := sm.Decode(data, into); err != nil || check == nil {
			return err
		}

		return check()
	}

	wrong := valid(data)
	if wrong == nil && etag != "" {
		return nil, nil
	}

	f := finding{alone: true, hides: true, Finding: sm.Finding{
		Kind: ObjectDeleted, Subject: key, Text: key + " was deleted",
		Repair: "restore it from its previous version",
	}}

	if wrong != nil {
		f.Kind, f.Text = ObjectDamaged, fmt.Sprintf("cannot read %s: %v", key, wrong)

		var found bool

		data, found, err = o.archive.Previous(ctx, key, func(d []byte) bool { return valid(d) == nil })
		if err != nil {
			return nil, err
		}

		if !found && key == sm.RecordKey(sm.RepairRelease) { // it only has the history of repairs
			data, found = []byte(`{"release":"`+sm.RepairRelease+`"}`), true
			f.Repair = "recreate it, without the history of repairs"
		}

		if !found {
			f.Repair, f.hides = "", false
			f.Text += "; no previous version can be read either: restore it from a backup"

			return &f, nil
		}
	}

	f.repair = func(ctx context.Context, _ sm.Document) error {
		_, err := o.store.Put(ctx, key, json.RawMessage(bytes.TrimSpace(data)), etag)
		return err
	}

	return &f, nil
}
