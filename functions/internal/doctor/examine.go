package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"lockstep/functions/internal/artifact"
	"lockstep/functions/internal/ledger"
	"lockstep/functions/internal/machine"
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

const (
	handOver = "another execution takes the lock over, and rolls back, or forward from contract on; " +
		"then look again"
	newHeld = "write it anew, held by "
	newLock = newHeld + "nobody, with a newer fence than any record has; then look at what it hides"
)

// books is what the ledger says, as far as it could be read.
type books struct {
	lock    sm.Lock
	records []sm.Record // by fence: the newest last, and without one those that never began
	carries map[sm.Environment]sm.EnvironmentState
	broken  bool // something was lost: what follows from the newest record is not certain
}

// newest is the record of the release that began last.
func (b books) newest() (newest sm.Record) {
	if n := len(b.records); n > 0 {
		newest = b.records[n-1]
	}

	return newest
}

// examineLock finds a lock that nobody can take, or that a dead execution holds.
func (r *Repair) examineLock(ctx context.Context) (sm.Lock, []fix, error) {
	var lock sm.Lock

	data, etag, err := r.Archive.Raw(ctx, sm.LockKey)
	if err != nil {
		return lock, nil, err
	}

	if etag != "" {
		err = sm.Decode(data, &lock)
	}

	records, unreadable, readErr := r.records(ctx)
	if readErr != nil {
		return lock, nil, readErr
	}

	newest, readErr := r.newestFence(ctx, records)
	if readErr != nil {
		return lock, nil, readErr
	}

	if err != nil || lock.Fence < newest {
		what, was := fmt.Sprintf("%s: its fence is %d, but a record has %d", sm.LockKey, lock.Fence,
			newest), lock
		if err != nil {
			what, was = sm.LockKey+" can't be read: "+err.Error(), sm.Lock{}
		}

		anew, mended := sm.Lock{Fence: newest + ledger.LostFences}, newLock
		// nobody had it since
		if last := (books{records: records}).newest(); was.Holder == nil && last.Ended == nil &&
			last.Fence > 0 && last.Fence == newest {
			anew, mended = ledger.RestoredLock(was, last), newHeld+last.Execution+
				", which has not ended; then look at what it hides"
		}

		return lock, []fix{{sm.Finding{What: what, Repair: mended}, true,
			func(ctx context.Context, _ sm.Document) error {
				_, err := r.Ledger.Store.Put(ctx, sm.LockKey, anew, etag)
				return err
			}}}, nil
	}

	if lock.Holder == nil || r.Recover.Fresh(*lock.Holder) {
		return lock, nil, nil
	}

	last, recovering, found, err := r.Recover.Last(ctx, lock)
	if err != nil {
		return lock, nil, err
	}

	lost, err := r.lostRecord(ctx, *lock.Holder, records, unreadable)
	if err != nil {
		return lock, nil, err
	}

	if found.Running {
		if lost == "" || recovering != "" {
			return lock, nil, nil
		}
		// What waits for a word would wait for good: nobody finds its token any more.
		return lock, []fix{{sm.Finding{What: fmt.Sprintf("%s is under way, but %s", lock.Holder.Release,
			lost), Repair: "write it anew, without its story, and stop " + last + "; " + handOver}, true,
			func(ctx context.Context, _ sm.Document) error {
				if err := r.reopen(ctx, *lock.Holder); err != nil {
					return err
				}

				return r.Started.Stop(ctx, last, "its record was lost")
			}}}, nil
	}

	what := fmt.Sprintf("the lock is held for %s by %s, which %s", lock.Holder.Release, last,
		map[bool]string{true: "does not exist", false: "has ended: " + found.Status + " " +
			found.Error}[found == machine.Execution{}])
	mended := handOver

	if lost != "" {
		what += "; " + lost
		mended = "write it anew, without its story; " + handOver
	}

	return lock, []fix{{sm.Finding{What: what, Repair: mended}, true,
		func(ctx context.Context, _ sm.Document) error {
			if lost != "" {
				if err := r.reopen(ctx, *lock.Holder); err != nil {
					return err
				}
			}

			return r.Recover.Again(ctx, lock, last)
		}}}, nil
}

// newestFence is the newest that the ledger tells of: releases are not the only ones that had the
// lock.
func (r *Repair) newestFence(ctx context.Context, records []sm.Record) (newest int64, err error) {
	for _, record := range records {
		newest = max(newest, record.Fence)
	}

	for _, key := range []string{sm.RecordKey(sm.RepairRelease), sm.EnvironmentKey(sm.A),
		sm.EnvironmentKey(sm.B)} {
		data, _, err := r.Archive.Raw(ctx, key)
		if err != nil {
			return 0, err
		}

		var object struct {
			Fence int64 `json:"fence"`
		}
		if sm.Decode(data, &object) == nil { // what is missing or damaged is mended later
			newest = max(newest, object.Fence)
		}
	}

	return newest, nil
}

// reopen makes a record of what is still known of a release that nobody can take over for want of
// it. It goes back, unless everyone has it and there is no schema to take back any more.
func (r *Repair) reopen(ctx context.Context, h sm.Holder) error {
	key := sm.RecordKey(h.Release)

	_, etag, err := r.Archive.Raw(ctx, key)
	if err != nil {
		return err
	}

	roles, err := r.Roles.Get(ctx)
	if err != nil {
		return err
	}

	live, err := r.Ledger.Environment(ctx, roles.Fallback)
	if err != nil {
		return err
	}

	record := sm.Record{Release: h.Release, Sequence: h.Sequence, Execution: h.Execution,
		Fence: h.Fence, Active: roles.Active, Fallback: roles.Fallback,
		Began: h.Since, State: sm.Repair, Expanded: r.Settings.Database != nil}
	if live.Release == h.Release {
		widened, err := r.widened(ctx)
		if err != nil {
			return err
		}

		record.Active, record.Fallback, record.Promoted = roles.Fallback, roles.Active, &h.Since
		record.Contracted = !slices.Contains(widened, h.Release)
	}

	_, err = r.Ledger.Store.Put(ctx, key, record, etag)

	return err
}

// records reads every record, and names the objects that can't be read.
func (r *Repair) records(ctx context.Context) (records []sm.Record, unreadable map[string]error,
	err error) {
	keys, err := r.Archive.List(ctx, sm.RecordsPrefix)
	if err != nil {
		return nil, nil, err
	}

	unreadable = map[string]error{}

	for _, key := range keys {
		data, _, err := r.Archive.Raw(ctx, key)
		if err != nil {
			return nil, nil, err
		}

		var record sm.Record
		if err := sm.Decode(data, &record); err != nil {
			unreadable[key] = err
		} else if record.Release != sm.RepairRelease {
			records = append(records, record)
		}
	}

	slices.SortFunc(records, func(x, y sm.Record) int { return int(x.Fence - y.Fence) })

	return records, unreadable, nil
}

// examineLedger finds records and notes of environments that are missing or can't be read, and
// knows what they said.
func (r *Repair) examineLedger(ctx context.Context, lock sm.Lock) (books, []fix, error) {
	b := books{lock: lock, carries: map[sm.Environment]sm.EnvironmentState{}}

	records, unreadable, err := r.records(ctx)
	if err != nil {
		return b, nil, err
	}

	b.records = records

	var fixes []fix

	lost := map[sm.Environment]string{}

	for _, e := range sm.Environments() {
		data, etag, err := r.Archive.Raw(ctx, sm.EnvironmentKey(e))
		if err != nil {
			return b, nil, err
		}

		var c sm.EnvironmentState
		if err := sm.Decode(data, &c); etag != "" && err != nil {
			lost[e] = fmt.Sprintf("%s can't be read: %v", sm.EnvironmentKey(e), err)
		} else if etag == "" && slices.ContainsFunc(
			records, func(x sm.Record) bool { return x.Active == e }) { // else nothing was ever there
			lost[e] = sm.EnvironmentKey(e) + " is missing"
		} else if etag != "" && c.Environment != e {
			lost[e] = fmt.Sprintf("%s: environment: found %q, expected %q", sm.EnvironmentKey(e),
				c.Environment, e)
		} else if i := slices.IndexFunc(records, func(x sm.Record) bool {
			return x.Active == e &&
				x.Outcome == sm.Released
		}); c.Release == "" && i >= 0 {
			lost[e] = fmt.Sprintf("%s says that %s carries nothing, but %s was released there",
				sm.EnvironmentKey(e), e, records[i].Release)
		} else {
			b.carries[e] = c
		}
	}

	for key, err := range unreadable {
		id := strings.TrimSuffix(strings.TrimPrefix(key, sm.RecordsPrefix), ".json")
		fixes = append(fixes, r.rewrite(b, id, fmt.Sprintf("%s can't be read: %v", key, err)))
	}

	for _, e := range sm.Environments() {
		if id := b.carries[e].Release; id != "" && unreadable[sm.RecordKey(id)] == nil &&
			!slices.ContainsFunc(records, func(x sm.Record) bool { return x.Release == id }) {
			if what := fmt.Sprintf("%s is missing, though %s carries %s", sm.RecordKey(id), e,
				id); !slices.ContainsFunc(fixes, func(f fix) bool {
				return strings.HasPrefix(f.What,
					sm.RecordKey(id))
			}) {
				fixes = append(fixes, r.rewrite(b, id, what))
			}
		}
	}

	b.broken = len(fixes) > 0

	roles := r.roles(ctx, b)
	// what active should carry follows from fallback
	for _, e := range []sm.Environment{roles.Fallback, roles.Active} {
		what, isLost := lost[e]
		if !isLost {
			continue
		}

		c, err := r.recall(ctx, b, roles, e)
		if err != nil {
			return b, nil, err
		}

		b.carries[e] = c
		fixes = append(fixes, fix{sm.Finding{What: what,
			Repair: fmt.Sprintf("write it anew: %s carries %s", e,
				release.OrNothing(c.Release))}, false, func(ctx context.Context, doc sm.Document) error {
			_, etag, err := r.Archive.Raw(ctx, sm.EnvironmentKey(e))
			if err != nil {
				return err
			}

			c.Fence = doc.Fence
			_, err = r.Ledger.Store.Put(ctx, sm.EnvironmentKey(e), c, etag)

			return err
		}})
	}

	return b, fixes, nil
}

// rewrite makes a record of what is still known: the story is lost.
func (r *Repair) rewrite(b books, id, what string) fix {
	return fix{sm.Finding{What: what, Repair: "write it anew, without its story"}, false,
		func(ctx context.Context, doc sm.Document) error {
			key, now := sm.RecordKey(id), time.Now().UTC()

			_, etag, err := r.Archive.Raw(ctx, key)
			if err != nil {
				return err
			}

			record := sm.Record{Release: id, Outcome: sm.Refused,
				Cause: sm.Cause{Text: "its record was lost, and written anew"}, Ended: &now, State: sm.Finish}
			if m, err := artifact.Manifest(ctx, r.Bundles, id); err == nil {
				record.Sequence = m.Sequence
			}

			b.broken = true

			roles := r.roles(ctx, b)
			for _, e := range sm.Environments() {
				if c := b.carries[e]; c.Release == id {
					record.Outcome, record.Sequence = sm.Released, c.Sequence
					if e == roles.Fallback { // the newest, from which the roles follow
						record.Began, record.Fence, record.Active, record.Fallback = now, doc.Fence, e, e.Other()
					}
				}
			}

			_, err = r.Ledger.Store.Put(ctx, key, record, etag)

			return err
		}}
}

// recall is what an environment carries as the records and the manifests have it.
func (r *Repair) recall(ctx context.Context, b books, roles sm.Control,
	e sm.Environment) (sm.EnvironmentState, error) {
	if e == roles.Active {
		return ledger.SyncedState(b.carries[roles.Fallback], e), nil
	}

	c := sm.EnvironmentState{Environment: e, InSync: true, Functions: map[string]sm.FunctionState{}}

	for _, record := range slices.Backward(b.records) {
		if record.Outcome != sm.Released {
			continue
		}

		m, err := artifact.Manifest(ctx, r.Bundles, record.Release)
		if err != nil {
			return c, err
		}

		if c.Release == "" {
			c.Release, c.Sequence = record.Release, record.Sequence
		}

		if m.Site != nil && c.Site == nil {
			c.Site = &sm.SiteState{Release: m.Release, Key: m.Key(m.Site.Artifact), SHA256: m.Site.SHA256,
				Assets: m.Site.AssetsPrefix()}
		}

		for name, code := range m.Functions {
			if _, known := c.Functions[name]; known {
				continue
			}

			if c.Functions[name], err = r.version(ctx, name, e, record.Release, code.SHA256); err != nil {
				return c, err
			}
		}
	}

	return c, nil
}

// version finds the version that was published of a code: one of the two aliases still names it.
func (r *Repair) version(ctx context.Context, name string, e sm.Environment, releaseID,
	digest string) (sm.FunctionState, error) {
	for _, alias := range []sm.Environment{e, e.Other()} {
		found, err := r.Versions.At(ctx, name, alias)
		if err != nil {
			return found, err
		}

		if found.SHA256 == digest {
			return sm.FunctionState{Release: releaseID, Version: found.Version, SHA256: digest}, nil
		}
	}

	// its version is found when it is published again
	return sm.FunctionState{Release: releaseID, SHA256: digest}, nil
}

// roles are those that the ledger says: the newest release's, unless its record was lost; then the
// fallback is the environment with the newer release, and where both carry the same it does not
// matter.
func (r *Repair) roles(ctx context.Context, b books) sm.Control {
	if newest := b.newest(); newest.Fence > 0 && !b.broken {
		if newest.Outcome == sm.Released {
			return sm.Control{Active: newest.Fallback, Fallback: newest.Active}
		}

		return sm.Control{Active: newest.Active, Fallback: newest.Fallback}
	}

	switch x, y := b.carries[sm.A].Sequence, b.carries[sm.B].Sequence; {
	case x > y:
		return sm.Control{Active: sm.B, Fallback: sm.A}
	case y > x:
		return sm.Control{Active: sm.A, Fallback: sm.B}
	}

	if route, found, err := r.Routes.Get(ctx); err == nil && found && route.Active != route.Fallback &&
		route.Active.Other() == route.Fallback {
		return sm.Control{Active: route.Active, Fallback: route.Fallback}
	}

	return sm.Control{Active: sm.A, Fallback: sm.B}
}
