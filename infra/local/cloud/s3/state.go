package s3

import (
	"fmt"
	"maps"

	"lockstep/infra/local/cloud/kept"
)

// State is what a later process goes on with. A multipart upload under way is not: whoever sends
// it begins anew.
type State struct {
	Buckets map[string]bucket
	Serial  uint64
}

// Hold lets nobody change anything until it is released.
func (s *Service) Hold() (release func()) { s.mu.Lock(); return s.mu.Unlock }

// Save is for who holds the service.
func (s *Service) Save(bodies kept.Bodies) State {
	state := State{map[string]bucket{}, s.serial}
	for name, b := range s.buckets {
		state.Buckets[name] = bucket{b.Created, b.EventBridge, maps.Clone(b.Objects),
			maps.Clone(b.Versions)}
		for _, o := range b.Objects {
			bodies[o.Digest] = o.Body
		}

		for _, versions := range b.Versions {
			for _, v := range versions {
				if !v.Marker {
					bodies[v.Object.Digest] = v.Object.Body
				}
			}
		}
	}

	return state
}

// Load takes over what an earlier process saved.
func (s *Service) Load(state State, read kept.Read) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.serial = state.Serial
	for name, b := range state.Buckets {
		for key, o := range b.Objects {
			if o.Body, err = read(o.Digest); err != nil {
				return fmt.Errorf("s3://%s/%s: %w", name, key, err)
			}

			b.Objects[key] = o
		}

		for key, versions := range b.Versions {
			for i := range versions {
				if versions[i].Marker {
					continue
				}

				o := &versions[i].Object
				if o.Body, err = read(o.Digest); err != nil {
					return fmt.Errorf("version %s of s3://%s/%s: %w", versions[i].ID, name, key, err)
				}
			}
		}

		s.buckets[name] = &b
	}

	return nil
}
