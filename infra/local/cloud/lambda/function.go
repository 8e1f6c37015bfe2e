package lambda

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Function is a function that Create provisions.
type Function struct {
	Name        string
	Zip         []byte
	Handler     string        // default "bootstrap"
	Timeout     time.Duration // default 3 s
	MemoryMB    int           // default 128
	Environment map[string]string
}

// Version is the code and configuration that a Runner runs. A published version never changes.
type Version struct {
	Function    string
	Version     string // "$LATEST" or a number
	CodeSHA256  string // in base64
	Zip         []byte `json:"-"` // saved by its digest
	Handler     string
	Timeout     time.Duration
	MemoryMB    int
	Environment map[string]string
	Description string
	Modified    time.Time
	Status      status
}

// status is the revision of a version or of $LATEST. While an update is in progress it also has the
// revision after the update, since AWS assigns another RevisionId then.
type status struct {
	Revision string
	Final    string    `json:"Settled"` // the RevisionId after the update
	Until    time.Time // when LastUpdateStatus becomes Successful
}

func (s status) inProgress() bool { return time.Now().Before(s.Until) }

func (s status) revisionID() string {
	if s.inProgress() || s.Final == "" {
		return s.Revision
	}

	return s.Final
}

type function struct {
	Latest   Version
	Before   Version // serves $LATEST while an update is in progress
	Versions []Version
	Counter  int
	Aliases  map[string]*alias
	Policies map[string][]statement // by qualifier
}

type alias struct {
	Name, Version, Description, Revision string
}

// Create provisions a function with its code in $LATEST, or updates the code of the function that
// exists, and returns its ARN.
func (s *Service) Create(f Function) (string, error) {
	n, err := parseName(f.Name, "")
	if err != nil {
		return "", err
	}

	if err := checkZip(f.Zip); err != nil {
		return "", err
	}

	if f.Timeout < 0 || f.Timeout > 15*time.Minute {
		return "", invalid("timeout of %s: found %s, expected at most 15m", n.function, f.Timeout)
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	existing := s.functions[n.function]
	if existing == nil {
		existing = &function{Aliases: map[string]*alias{}}
		s.functions[n.function] = existing
	}

	existing.Latest = Version{
		Function: n.function, Version: latest, CodeSHA256: Digest(f.Zip), Zip: f.Zip,
		Handler: orDefault(f.Handler, "bootstrap"), Timeout: orDefault(f.Timeout, 3*time.Second),
		MemoryMB: orDefault(f.MemoryMB, 128), Environment: f.Environment,
		Modified: time.Now(), Status: status{Revision: uuid.NewString()},
	}

	return name{function: n.function}.arn(), nil
}

// Publish publishes $LATEST as a version and returns its number.
func (s *Service) Publish(functionName string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	f, _, err := s.find(functionName, "")
	if err != nil {
		return "", err
	}

	return f.publish("").Version, nil
}

// Alias provisions an alias, or moves the one that exists.
func (s *Service) Alias(functionName, aliasName, version string) error {
	s.mu.Lock()
	defer s.mu.Unlock()

	f, n, err := s.find(functionName, "")
	if err != nil {
		return err
	}

	if a := f.Aliases[aliasName]; a != nil {
		return f.update(n, a, aliasChange{FunctionVersion: version})
	}

	_, err = f.createAlias(n, aliasChange{Name: aliasName, FunctionVersion: version})

	return err
}

func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}

	return value
}

// find finds a function; the caller holds s.mu, here and in all functions below.
func (s *Service) find(text, qualifier string) (*function, name, error) {
	n, err := parseName(text, qualifier)
	if err != nil {
		return nil, n, err
	}

	f := s.functions[n.function]
	if f == nil {
		return nil, n, notFound(n.arn())
	}

	return f, n, nil
}

// resolve finds the version of a qualifier.
func (f *function) resolve(n name) (*Version, error) {
	number := n.qualifier
	if number == "" || number == latest {
		return &f.Latest, nil
	}

	if a := f.Aliases[number]; a != nil {
		number = a.Version
	}

	if number == latest {
		return &f.Latest, nil
	}

	i := slices.IndexFunc(f.Versions, func(v Version) bool { return v.Version == number })
	if i < 0 {
		return nil, notFound(n.arn())
	}

	return &f.Versions[i], nil
}

// publish makes a version of $LATEST. If the code is unchanged, it returns the last version.
func (f *function) publish(description string) *Version {
	if last := len(f.Versions) - 1; last >= 0 && f.Versions[last].CodeSHA256 == f.Latest.CodeSHA256 {
		return &f.Versions[last]
	}

	f.Counter++
	version := f.Latest
	version.Version = strconv.Itoa(f.Counter)
	version.Description = orDefault(description, version.Description)
	version.Status = status{Revision: uuid.NewString(), Until: f.Latest.Status.Until}
	f.Versions = append(f.Versions, version)

	return &f.Versions[len(f.Versions)-1]
}

func (f *function) unpublish(n name) error {
	if n.qualifier == latest {
		return invalid("$LATEST version cannot be deleted without deleting the function.")
	}

	if !versionPattern.MatchString(n.qualifier) {
		return invalid("qualifier: found %q, expected a version", n.qualifier)
	}

	var naming []string

	for _, a := range f.Aliases {
		if a.Version == n.qualifier {
			naming = append(naming, a.Name)
		}
	}

	if len(naming) > 0 {
		slices.Sort(naming)

		return conflict("Unable to delete version because the following aliases reference it: [%s]",
			strings.Join(naming, ", "))
	}

	named := func(v Version) bool { return v.Version == n.qualifier }

	rest := slices.DeleteFunc(slices.Clone(f.Versions), named)
	if len(rest) == len(f.Versions) {
		return notFound(n.arn())
	}

	f.Versions = rest

	return nil
}

// Published returns the versions of a function, and the version of each alias by its name.
func (s *Service) Published(functionName string) (versions []Version, aliases map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()

	aliases = map[string]string{}

	if f := s.functions[functionName]; f != nil {
		versions = slices.Clone(f.Versions)
		for _, a := range f.Aliases {
			aliases[a.Name] = a.Version
		}
	}

	return versions, aliases
}
