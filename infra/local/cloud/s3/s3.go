// Package s3 stands in for S3, in memory. It exists because the ledger rests on what S3 promises
// about conditional writes, and the site on what it keeps about an object, so both have to be
// exact here: gofakes3, the library looked at first, drops Cache-Control, lets a new object
// inherit the old one's metadata, answers 412 where S3 answers 404, and reads no trailing
// checksums.
package s3

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"lockstep/infra/local/cloud/kept"
	"lockstep/infra/local/cloud/wire"
)

// Service is all buckets of the account.
type Service struct {
	emit func(source, detailType string, resources []string, detail any)

	mu      sync.RWMutex
	buckets map[string]*bucket
	uploads map[string]*upload
	serial  uint64
}

type bucket struct {
	Created     time.Time
	EventBridge bool
	Objects     map[string]Object
	// Versions are those of each object, newest first; nil where versioning is off.
	Versions map[string][]version
}

// Object is an object with what S3 keeps about it. Body is never changed in place.
type Object struct {
	Body            []byte `json:"-"`
	ContentType     string
	CacheControl    string
	ContentEncoding string
	Metadata        map[string]string // x-amz-meta-..., keys in lower case
	ETag            string            // with its quotes, as in the header
	LastModified    time.Time
	Digest          string // of the body, by which that is kept
}

// New makes a service without buckets. Events of buckets that have EventBridge on go to emit.
func New(emit func(source, detailType string, resources []string, detail any)) *Service {
	return &Service{emit: emit, buckets: map[string]*bucket{}, uploads: map[string]*upload{}}
}

// CreateBucket makes a bucket, or leaves the one that exists and sets its notifications.
func (s *Service) CreateBucket(name string, eventBridge bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if b := s.buckets[name]; b != nil {
		b.EventBridge = eventBridge
		return
	}

	s.buckets[name] = &bucket{Created: time.Now(), EventBridge: eventBridge,
		Objects: map[string]Object{}}
}

// Get returns an object; its body and metadata must not be changed.
func (s *Service) Get(bucket, key string) (Object, bool) {
	object, err := s.get(bucket, key)
	return object, err == nil
}

// Keys lists a bucket's keys with a prefix, in order.
func (s *Service) Keys(bucket, prefix string) []string {
	keys, _, _ := s.keys(bucket)
	return slices.DeleteFunc(keys, func(key string) bool { return !strings.HasPrefix(key, prefix) })
}

// Put writes an object whatever was there, as PutObject does without conditions.
func (s *Service) Put(bucket, key string, object Object) error {
	_, err := s.put(bucket, key, object, conditions{}, "PutObject")
	if err != nil {
		return fmt.Errorf("put s3://%s/%s: %w", bucket, key, err)
	}

	return nil
}

func (s *Service) get(bucket, key string) (Object, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()

	b := s.buckets[bucket]
	if b == nil {
		return Object{}, noSuchBucket(bucket)
	}

	object, ok := b.Objects[key]
	if !ok {
		return Object{}, noSuchKey(key)
	}

	return object, nil
}

// put checks the conditions and writes under one lock, so that of two writers that saw the same
// ETag one is refused. S3's 409 answers a write that overlaps a delete, which one lock rules out.
func (s *Service) put(bucket, key string, object Object, when conditions, reason string) (Object,
	error) {
	sum := md5.Sum(object.Body)
	if object.ETag == "" {
		object.ETag = `"` + hex.EncodeToString(sum[:]) + `"`
	}

	if object.ContentType == "" {
		object.ContentType = "binary/octet-stream"
	}

	object.LastModified, object.Digest = time.Now().UTC().Truncate(
		time.Second), kept.Digest(object.Body)

	s.mu.Lock()

	b := s.buckets[bucket]
	if b == nil {
		s.mu.Unlock()
		return Object{}, noSuchBucket(bucket)
	}

	current, exists := b.Objects[key]
	if err := when.check(key, current, exists); err != nil {
		s.mu.Unlock()
		return Object{}, err
	}

	b.Objects[key] = object
	s.serial++
	b.remember(key, version{ID: versionID(s.serial), Object: object})
	serial, notify := s.serial, b.EventBridge && s.emit != nil
	s.mu.Unlock()

	if notify {
		s.emit("aws.s3", "Object Created", []string{"arn:aws:s3:::" + bucket},
			created(bucket, key, object, serial, reason))
	}

	return object, nil
}

// delete deletes an object, or a version of it for good. Marked tells whether a delete marker is
// left, or was deleted.
func (s *Service) delete(bucket, key, id string, when conditions) (marked bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	b := s.buckets[bucket]
	if b == nil {
		return false, noSuchBucket(bucket)
	}

	if id != "" {
		marked := slices.ContainsFunc(b.Versions[key], func(v version) bool {
			return v.ID == id && v.Marker
		})
		b.removeVersion(key, id)

		return marked, nil
	}

	current, exists := b.Objects[key]
	if err := when.check(key, current, exists); err != nil {
		return false, err
	}

	delete(b.Objects, key)

	if b.Versions == nil {
		return false, nil
	}

	s.serial++
	marker := version{ID: versionID(s.serial), Marker: true}
	marker.Object.LastModified = time.Now().UTC().Truncate(time.Second)
	b.remember(key, marker)

	return true, nil
}

// keys lists a bucket's keys in UTF-8 order, with a snapshot of its objects.
func (s *Service) keys(bucket string) ([]string, map[string]Object, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()

	b := s.buckets[bucket]
	if b == nil {
		return nil, nil, noSuchBucket(bucket)
	}

	return slices.Sorted(maps.Keys(b.Objects)), maps.Clone(b.Objects), nil
}

// created is the detail of an 'Object Created' event.
func created(bucket, key string, o Object, serial uint64, reason string) any {
	return map[string]any{
		"version": "0",
		"bucket":  map[string]any{"name": bucket},
		"object": map[string]any{
			"key": key, "size": len(o.Body), "etag": strings.Trim(o.ETag,
				`"`), "sequencer": fmt.Sprintf("%018X", serial),
		},
		"request-id": fmt.Sprintf("%016X", serial),
		"requester":  wire.Account,
		"reason":     reason,
	}
}

// conditions are the If-Match and If-None-Match of a write.
type conditions struct{ ifMatch, ifNoneMatch string }

func conditionsOf(r *http.Request) (conditions, error) {
	c := conditions{ifMatch: r.Header.Get("If-Match"), ifNoneMatch: r.Header.Get("If-None-Match")}
	if c.ifNoneMatch != "" && c.ifNoneMatch != "*" {
		return c, notImplemented("If-None-Match: " + c.ifNoneMatch + " on a write; only * is")
	}

	return c, nil
}

func (c conditions) check(key string, current Object, exists bool) error {
	switch {
	case c.ifNoneMatch == "*" && exists:
		return preconditionFailed("If-None-Match")
	case c.ifMatch == "":
		return nil
	case !exists:
		return noSuchKey(key)
	case c.ifMatch != "*" && strings.Trim(c.ifMatch, `"`) != strings.Trim(current.ETag, `"`):
		return preconditionFailed("If-Match")
	}

	return nil
}
