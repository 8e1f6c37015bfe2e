// Package keyvalue stands in for the data plane of CloudFront KeyValueStore, from which the edge
// reads the route. It keeps the history of every key, because the real edge converges slowly: an
// edge location reads the store as it was some time ago.
package keyvalue

import (
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"lockstep/infra/local/cloud/wire"
)

// Service has all key-value stores of the account.
type Service struct {
	mu     sync.RWMutex
	stores map[string]*store // by ARN
}

type store struct {
	Created, Modified time.Time
	Version           int
	Values            map[string]string
	History           map[string][]entry // oldest first
	Size              int64
}

// entry is the value of a key from a time on.
type entry struct {
	From   time.Time
	Value  string
	Exists bool
}

// The quotas of a store, in bytes.
const (
	maxKey     = 512
	maxValue   = 1 << 10
	maxStore   = 5 << 20
	maxRequest = 50 // keys in one UpdateKeys
)

// New makes a service without stores.
func New() *Service { return &Service{stores: map[string]*store{}} }

// Create makes a store, or finds the one of that name, and returns its ARN, which has no Region.
func (s *Service) Create(name string) (arn string) {
	id := uuid.NewSHA1(uuid.NameSpaceOID, []byte(name))
	arn = "arn:aws:cloudfront::" + wire.Account + ":key-value-store/" + id.String()

	s.mu.Lock()
	defer s.mu.Unlock()

	if s.stores[arn] == nil {
		now := time.Now()
		s.stores[arn] = &store{
			Created: now, Modified: now,
			Values: map[string]string{}, History: map[string][]entry{},
		}
	}

	return arn
}

// Put provisions a key. All edge locations see the value at once, as if it had always been there.
func (s *Service) Put(arn, key, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()

	st, err := s.store(arn)
	if err == nil {
		err = st.change([]pair{{key, value}}, nil, time.Time{})
	}

	if err != nil {
		return fmt.Errorf("put key %q into %s: %w", key, arn, err)
	}

	return nil
}

// Read returns the value of a key at a time: what an edge location with a copy of that age sees.
func (s *Service) Read(arn, key string, asOf time.Time) (value string, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()

	st := s.stores[arn]
	if st == nil {
		return "", false
	}

	history := st.History[key]
	for i := len(history) - 1; i >= 0; i-- {
		if !history[i].From.After(asOf) {
			return history[i].Value, history[i].Exists
		}
	}

	return "", false
}

// store finds a store; s.mu is held.
func (s *Service) store(arn string) (*store, error) {
	if st := s.stores[arn]; st != nil {
		return st, nil
	}

	return nil, &wire.Error{
		Status: 404, Code: "ResourceNotFoundException",
		Message: "The key value store was not found: " + arn,
	}
}

type pair struct{ Key, Value string }

// change applies all of a write or none of it.
func (st *store) change(puts []pair, deletes []string, from time.Time) error {
	seen := map[string]bool{}
	size := st.Size

	for _, p := range puts {
		if err := once(seen, p.Key); err != nil {
			return err
		}

		if len(p.Value) > maxValue {
			return invalid(fmt.Sprintf("value of key %q: %d bytes, expected at most %d",
				p.Key, len(p.Value), maxValue))
		}

		size += int64(len(p.Key)+len(p.Value)) - st.sizeOf(p.Key)
	}

	for _, key := range deletes {
		if err := once(seen, key); err != nil {
			return err
		}

		size -= st.sizeOf(key)
	}

	if size > maxStore {
		return &wire.Error{
			Status: 402, Code: "ServiceQuotaExceededException",
			Message: "The key value store would exceed 5 MB",
		}
	}

	changed := len(puts) > 0
	for _, p := range puts {
		st.Values[p.Key] = p.Value
		st.History[p.Key] = append(st.History[p.Key], entry{from, p.Value, true})
	}

	for _, key := range deletes {
		if _, ok := st.Values[key]; !ok {
			continue
		}

		changed = true

		delete(st.Values, key)
		st.History[key] = append(st.History[key], entry{from, "", false})
	}

	st.Size = size

	// A write that changes nothing, such as deleting a missing key, keeps the ETag.
	if changed {
		st.Version++
		st.Modified = time.Now()
	}

	return nil
}

func (st *store) sizeOf(key string) int64 {
	value, ok := st.Values[key]
	if !ok {
		return 0
	}

	return int64(len(key) + len(value))
}

func (st *store) etag() string { return fmt.Sprintf("KV%012X", st.Version+1) }

func once(seen map[string]bool, key string) error {
	if key == "" || len(key) > maxKey {
		return invalid(fmt.Sprintf("key %q: %d bytes, expected 1 to %d", key, len(key), maxKey))
	}

	if seen[key] {
		return invalid(fmt.Sprintf("key %q is named twice", key))
	}

	seen[key] = true

	return nil
}

func invalid(message string) error { return wire.Refuse("ValidationException", message) }
