package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"lockstep/statemachine"
	"lockstep/statemachine/bundle"
)

// upload writes the zips into the state bucket, and the manifest last and only if there is none: a
// release with a manifest is complete, and never changes.
func (s *session) upload(m statemachine.Manifest, objects map[string][]byte) error {
	manifest, key := bundle.Encode(m), statemachine.ManifestKey(m.Release)

	uploaded, err := s.uploaded(key, manifest, m)
	if err != nil {
		return err
	}

	if uploaded {
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
		// another upload was faster, or this one was retried after its answer was lost
		if uploaded, err := s.uploaded(key, manifest, m); uploaded || err != nil {
			return err
		}
	}

	return err
}

// restore uploads again whatever is missing or damaged of a release that was uploaded before.
func (s *session) restore(m statemachine.Manifest, objects map[string][]byte) error {
	for _, a := range m.Artifacts() {
		found, _, err := s.read(m.Key(a.Artifact))
		if err != nil {
			return err
		}

		if bytes.Equal(found, objects[a.Object]) {
			continue
		}

		if err := s.write(m.Key(a.Artifact), "application/zip", objects[a.Object], nil); err != nil {
			return err
		}

		s.say("uploaded %s again: the object was missing or damaged", m.Key(a.Artifact))
	}

	return nil
}

// uploaded tells whether the release is uploaded already; one with the same id and other content
// is refused.
func (s *session) uploaded(key string, manifest []byte, m statemachine.Manifest) (bool, error) {
	old, etag, err := s.read(key)
	if err != nil || etag == "" {
		return false, err
	}

	if bytes.Equal(old, manifest) {
		s.say("%s is uploaded already", m.Release)
		return true, nil
	}

	return false, invalid(
		"release: found %q, which is uploaded already with other content (%s); give "+
			"this release a new id", m.Release, difference(old, m))
}

// difference names the first field in which the uploaded manifest differs.
func difference(old []byte, m statemachine.Manifest) string {
	uploaded, err := statemachine.ParseManifest("", old)
	if err != nil {
		return "its manifest cannot be parsed"
	}

	if uploaded.Sequence != m.Sequence {
		return fmt.Sprintf("sequence %d uploaded, %d here", uploaded.Sequence, m.Sequence)
	}

	if uploaded.Commit != m.Commit {
		return fmt.Sprintf("commit %q uploaded, %q here", uploaded.Commit, m.Commit)
	}

	for _, a := range m.Artifacts() {
		if !slices.Contains(uploaded.Artifacts(), a) {
			return a.Field
		}
	}

	for _, a := range uploaded.Artifacts() {
		if !slices.Contains(m.Artifacts(), a) {
			return a.Field
		}
	}

	return "its probes or assets"
}

func (s *session) write(key, contentType string, data []byte, ifNoneMatch *string) error {
	_, err := s.s3().PutObject(s.ctx, &s3.PutObjectInput{
		Bucket: &s.arguments.StateBucket, Key: &key, Body: bytes.NewReader(data),
		ContentType: &contentType, IfNoneMatch: ifNoneMatch,
	})

	return failed(err, "write s3://%s/%s", s.arguments.StateBucket, key)
}

func size(n int) string {
	if n < 1<<20 {
		return fmt.Sprintf("%.1f KB", float64(n)/(1<<10))
	}

	return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
}
