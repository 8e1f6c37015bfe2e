package main

import (
	"archive/zip"
	"bytes"
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"lockstep/statemachine"
	"lockstep/statemachine/bundle"
	"lockstep/statemachine/migration/lint"
)

// releaseCommand is lockstep release.
type releaseCommand struct {
	Dir string `arg:"" help:"Folder of lockstep.json, site, functions, migrations." predictor:"folder"`

	ID       string `help:"The release's id; overrides lockstep.json." name:"id" placeholder:"ID"`
	Sequence int64  `help:"Grows with every merge; overrides lockstep.json." placeholder:"N"`
	Commit   string `help:"The commit that was built; overrides lockstep.json." placeholder:"HASH"`
	Hotfix   bool   `help:"Skip bakes, windows, freezes and approvals; needs --reason."`
	Reason   string `help:"Why a hotfix; it goes into the record." short:"m" placeholder:"TEXT"`
	Wait     bool   `help:"Follow the release to its end."`
}

// Run packs, uploads and starts the release. Run again, it finds the upload, and the machine
// ignores a merge that it knows.
func (c *releaseCommand) Run(s *session) error {
	if c.Hotfix != (strings.TrimSpace(c.Reason) != "") {
		return invalid("release: --hotfix and --reason go together: a hotfix skips the ramp, and its " +
			"record says why")
	}

	manifest, objects, err := c.pack()
	if err != nil {
		return err
	}

	if err := s.connect(); err != nil {
		return err
	}

	if err := s.settings.CheckManifest(c.Dir, manifest); err != nil {
		return err
	}

	if err := s.upload(manifest, objects); err != nil {
		return err
	}

	record, err := s.record(manifest.Release)
	if err != nil {
		return err
	}

	switch record.Outcome { // an ended release is not started by another merge event
	case "":
	case statemachine.Released:
		s.say("%s was released already; to return to it, release it under a new id and a higher "+
			"sequence", record.Release)

		return nil
	default:
		s.say("%s has ended; to retry it: %s", record.Release,
			statemachine.RetryCommand(record.Execution, record.Release))

		return outcome(record)
	}

	if err := s.merge(c, manifest, record); err != nil {
		return err
	}

	if c.Wait {
		return s.follow(manifest.Release)
	}

	return nil
}

// pack makes the manifest and the zips, by their names, and refuses here what Begin would refuse
// after the upload.
func (c *releaseCommand) pack() (m statemachine.Manifest, objects map[string][]byte, err error) {
	declaration, err := bundle.Read(c.Dir)
	if err != nil {
		return m, nil, err
	}

	declaration.Release = cmp.Or(c.ID, declaration.Release)
	declaration.Sequence = cmp.Or(c.Sequence, declaration.Sequence)
	declaration.Commit = cmp.Or(c.Commit, declaration.Commit)

	m, objects, err = declaration.Pack(c.Dir)
	if err != nil || m.Migrations == nil {
		return m, objects, err
	}

	return m, objects, checkMigrations(filepath.Join(c.Dir, "migrations"),
		objects[m.Migrations.Object])
}

// checkMigrations refuses migrations that would break the version that is live.
func checkMigrations(dir string, packed []byte) error {
	files, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		return fmt.Errorf("read the zip of %s: %w", dir, err)
	}

	if err := lint.Check(files); err != nil {
		return statemachine.Errorf(statemachine.IncompatibleMigration, "%s: %w", dir, err)
	}

	return nil
}

// merge puts the merge event on the bus, also where it was put before: the machine ignores a merge
// that it knows, and the first event may be lost.
func (s *session) merge(c *releaseCommand, m statemachine.Manifest,
	record statemachine.Record) error {
	lock, err := s.lock()
	if err != nil {
		return err
	}

	begun := lock.Holder != nil && lock.Holder.Release == m.Release

	place := slices.IndexFunc(
		lock.Queue, func(e statemachine.QueueEntry) bool { return e.Release == m.Release })
	if c.Hotfix && (begun && record.Execution == lock.Holder.Execution && record.Hotfix == "" ||
		place >= 0 && !lock.Queue[place].Hotfix) {
		return invalid("release --hotfix: found %q, which is merged already, and not as a hotfix; give "+
			"the hotfix a new id and a higher sequence", m.Release)
	}

	merge := statemachine.Merge{App: s.settings.App, Release: m.Release, Sequence: m.Sequence,
		Hotfix: c.Hotfix, Reason: c.Reason}
	if err := s.put(statemachine.SourceCI, statemachine.DetailMerge, merge); err != nil {
		return err
	}

	standing := "is merged"

	switch {
	case begun:
		standing = "is under way already"
	case place >= 0:
		standing = "is in the queue already"
	}

	s.say("%s %s; follow it with lockstep status --watch", m.Release, standing)

	if c.Hotfix && lock.Holder != nil && !begun { // a hotfix too waits for the release under way
		s.say("%s is under way and ends first; to put %s before it: lockstep rollback --release %s",
			lock.Holder.Release, m.Release, lock.Holder.Release)
	}

	return nil
}
