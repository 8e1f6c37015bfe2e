package lambda

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"time"

	"lockstep/infra/local/cloud/kept"
)

// State is what a later process needs to continue. Synchronous invocations are not part of it,
// since their callers are gone.
type State struct {
	Functions map[string]function
	Queue     map[string]queued
}

// queued is an event that its function has not taken yet.
type queued struct {
	Call  Call
	Since time.Time
}

// Hold blocks all changes until release is called.
func (s *Service) Hold() (release func()) { s.mu.Lock(); return s.mu.Unlock }

// Save returns the state. The caller holds the service.
func (s *Service) Save(bodies kept.Bodies) State {
	state := State{map[string]function{}, maps.Clone(s.queue)}
	for name, f := range s.functions {
		copied := *f
		copied.Policies = maps.Clone(f.Policies)

		copied.Aliases = map[string]*alias{}
		for name, a := range f.Aliases {
			copied.Aliases[name] = new(*a)
		}

		for _, v := range append(f.Versions[:len(f.Versions):len(f.Versions)], f.Latest, f.Before) {
			if v.CodeSHA256 != "" {
				bodies[digest(v.CodeSHA256)] = v.Zip
			}
		}

		state.Functions[name] = copied
	}

	return state
}

// Load takes over the state that an earlier process saved. Queued events wait for Resume.
func (s *Service) Load(state State, read kept.Read) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	maps.Copy(s.queue, state.Queue)

	for name, f := range state.Functions {
		versions := []*Version{&f.Latest, &f.Before}
		for i := range f.Versions {
			versions = append(versions, &f.Versions[i])
		}

		for _, v := range versions {
			if v.CodeSHA256 == "" {
				continue
			}

			if v.Zip, err = read(digest(v.CodeSHA256)); err != nil {
				return fmt.Errorf("version %s of %s: %w", v.Version, name, err)
			}
		}

		s.functions[name] = &f
	}

	return nil
}

// Resume delivers the queued events.
func (s *Service) Resume() error {
	s.mu.Lock()
	defer s.mu.Unlock()

	for _, q := range s.queue {
		n, err := parseName(q.Call.ARN, "")
		if err != nil {
			return err
		}

		s.calls.Add(1)
		go s.deliver(n, q)
	}

	return nil
}

// digest is the name under which code is saved.
func digest(codeSHA256 string) string {
	sum, _ := base64.StdEncoding.DecodeString(codeSHA256)
	return hex.EncodeToString(sum)
}
