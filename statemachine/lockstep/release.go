package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"lockstep/statemachine"
	"lockstep/statemachine/bundle"
	"lockstep/statemachine/migration/lint"
)

// releaseCommand is lockstep release.
type releaseCommand struct {
	Dir      string `arg:"" help:"The folder with lockstep.json, site, functions and migrations."`
	ID       string `help:"The release's id instead of the one in lockstep.json." name:"id"`
	Sequence int64  `help:"Its sequence number instead of the one in lockstep.json: a number that grows with every merge."`
	Commit   string `help:"The commit that it was built from."`
	Hotfix   bool   `help:"Skip bakes, windows, freezes and approvals; never sync, expand and probe. Needs --reason."`
	Reason   string `help:"Why it cannot wait: it goes into the record." short:"m"`
	Wait     bool   `help:"Follow the release to its end."`
}

// Run packs, uploads and starts the release. Run again, it finds everything uploaded, and the
// machine ignores a merge that it knows.
func (c *releaseCommand) Run(s *session) error {
	if c.Hotfix != (strings.TrimSpace(c.Reason) != "") {
		return invalid("release: --hotfix and --reason go together: a hotfix skips the ramp, and the " +
			"record says why")
	}

	declaration, err := bundle.Read(c.Dir)
	if err != nil {
		return err
	}

	if c.ID != "" {
		declaration.Release = c.ID
	}

	if c.Sequence != 0 {
		declaration.Sequence = c.Sequence
	}

	if c.Commit != "" {
		declaration.Commit = c.Commit
	}

	manifest, objects, err := declaration.Pack(c.Dir)
	if err != nil {
		return err
	}

	if m := manifest.Migrations; m != nil {
		if err := checkMigrations(filepath.Join(c.Dir, "migrations"), objects[m.Object]); err != nil {
			return err
		}
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

	switch record.Outcome { // a merge is taken up once, so asking again would only be refused
	case "":
	case statemachine.Released: // and what is live, or older than it, is tried by nobody
		s.say("%s was released before; to go back to it, release it under a new id, with a sequence of "+
			"its own", record.Release)

		return nil
	default:
		s.say("%s ended before; to try it again: %s", record.Release,
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

// checkMigrations refuses before the upload what Begin would refuse after it.
func checkMigrations(dir string, packed []byte) error {
	files, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		return fmt.Errorf("read %s as it was packed: %w", dir, err)
	}

	if err := lint.Check(files); err != nil {
		return statemachine.Errorf(statemachine.IncompatibleMigration, "%s: %w", dir, err)
	}

	return nil
}

// merge puts the merge on the bus, again where it was there before: the machine ignores one that
// it knows, and the first may be lost.
func (s *session) merge(c *releaseCommand, m statemachine.Manifest,
	record statemachine.Record) error {
	var lock statemachine.Lock
	if _, err := s.readJSON(statemachine.LockKey, &lock); err != nil {
		return err
	}

	begun := lock.Holder != nil && lock.Holder.Release == m.Release

	place := slices.IndexFunc(
		lock.Queue, func(p statemachine.QueueEntry) bool { return p.Release == m.Release })
	if c.Hotfix && (begun && record.Execution == lock.Holder.Execution && record.Hotfix == "" ||
		place >= 0 && !lock.Queue[place].Hotfix) {
		return invalid("release --hotfix: found %q, which is merged already, as one that is none; give "+
			"the hotfix an id and a sequence of its own", m.Release)
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
		standing = "waits in the queue already"
	}

	s.say("%s %s; lockstep status --watch shows how it goes", m.Release, standing)

	if c.Hotfix && lock.Holder != nil && !begun { // which it waits for like any other
		s.say("%s is under way and ends first; to put %s before it: lockstep rollback --release %s",
			lock.Holder.Release, m.Release, lock.Holder.Release)
	}

	return nil
}

// upload puts the zips into the state bucket and the manifest last, which nobody overwrites: a
// release that has one is whole, and what it is never changes.
func (s *session) upload(m statemachine.Manifest, objects map[string][]byte) error {
	manifest, key := bundle.Encode(m), statemachine.ManifestKey(m.Release)

	there, err := s.uploaded(key, manifest, m)
	if err != nil {
		return err
	}

	if there {
		return s.restore(m, objects)
	}

	for _, a := range m.Artifacts() {
		if err := s.write(m.Key(a.Artifact), "application/zip", objects[a.Object], nil); err != nil {
			return err
		}

		s.say("uploaded %s, %s", m.Key(a.Artifact), size(len(objects[a.Object])))
	}

	err = s.write(key, "application/json", manifest, aws.String("*"))

	var api smithy.APIError
	if errors.As(err, &api) && slices.Contains([]string{"PreconditionFailed",
		"ConditionalRequestConflict"}, api.ErrorCode()) {
		// somebody else, or a write whose answer was lost
		if there, err := s.uploaded(key, manifest, m); there || err != nil {
			return err
		}
	}

	return err
}

// restore uploads again what was lost, or damaged, of a release that was uploaded before.
func (s *session) restore(m statemachine.Manifest, objects map[string][]byte) error {
	for _, a := range m.Artifacts() {
		there, _, err := s.read(m.Key(a.Artifact))
		if err != nil {
			return err
		}

		if bytes.Equal(there, objects[a.Object]) {
			continue
		}

		if err := s.write(m.Key(a.Artifact), "application/zip", objects[a.Object], nil); err != nil {
			return err
		}

		s.say("uploaded %s again: what was there was not it", m.Key(a.Artifact))
	}

	return nil
}

// uploaded tells whether the release is uploaded already, and refuses another one of its name.
func (s *session) uploaded(key string, manifest []byte, m statemachine.Manifest) (bool, error) {
	old, etag, err := s.read(key)
	if err != nil || etag == "" {
		return false, err
	}

	if bytes.Equal(old, manifest) {
		s.say("%s is uploaded already", m.Release)
		return true, nil
	}

	return false, invalid("release: found %q, which is uploaded already with another content (%s); "+
		"give this one an id of its own",
		m.Release, difference(old, m))
}

// difference names the first field in which the uploaded manifest is another.
func difference(old []byte, m statemachine.Manifest) string {
	there, err := statemachine.ParseManifest("", old)
	if err != nil {
		return "its manifest cannot be read"
	}

	if there.Sequence != m.Sequence {
		return fmt.Sprintf("sequence %d there, %d here", there.Sequence, m.Sequence)
	}

	if there.Commit != m.Commit {
		return fmt.Sprintf("commit %q there, %q here", there.Commit, m.Commit)
	}

	for _, a := range m.Artifacts() {
		if !slices.Contains(there.Artifacts(), a) {
			return a.Field
		}
	}

	for _, a := range there.Artifacts() {
		if !slices.Contains(m.Artifacts(), a) {
			return a.Field
		}
	}

	return "its probes or assets"
}

func (s *session) write(key, contentType string, data []byte, ifNoneMatch *string) error {
	_, err := s.s3().PutObject(s.ctx, &s3.PutObjectInput{
		Bucket: &s.arguments.StateBucket, Key: &key, Body: bytes.NewReader(data), ContentType: &contentType, IfNoneMatch: ifNoneMatch,
	})
	if err != nil {
		return fmt.Errorf("write s3://%s/%s: %w", s.arguments.StateBucket, key, err)
	}

	return nil
}

func size(n int) string {
	if n < 1<<20 {
		return fmt.Sprintf("%.1f KB", float64(n)/(1<<10))
	}

	return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
}
