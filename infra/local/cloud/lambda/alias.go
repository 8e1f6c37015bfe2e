package lambda

import (
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"lockstep/infra/local/cloud/wire"
)

// aliasChange is the body of CreateAlias and UpdateAlias.
type aliasChange struct {
	Name            string
	FunctionVersion string
	Description     *string
	RevisionId      string
	RoutingConfig   *struct{ AdditionalVersionWeights map[string]float64 }
}

type aliasConfiguration struct {
	AliasArn        string
	Name            string
	FunctionVersion string
	Description     string
	RevisionId      string
}

func (a *alias) configuration(n name) aliasConfiguration {
	return aliasConfiguration{name{n.function, a.Name}.arn(), a.Name, a.Version, a.Description,
		a.Revision}
}

func (f *function) createAlias(n name, c aliasChange) (*alias, error) {
	if !aliasPattern.MatchString(c.Name) || versionPattern.MatchString(c.Name) {
		return nil, invalid("alias of %s: found %q, expected letters, digits, '-' or '_', "+
			"and not only digits", n.function, c.Name)
	}

	if f.Aliases[c.Name] != nil {
		return nil, conflict("Alias already exists: %s", name{n.function, c.Name}.arn())
	}

	if c.FunctionVersion == "" {
		return nil, invalid("FunctionVersion of alias %s: found none, expected a version", c.Name)
	}

	a := &alias{Name: c.Name}
	if err := f.update(n, a, c); err != nil {
		return nil, err
	}

	f.Aliases[c.Name] = a

	return a, nil
}

// update checks everything before it changes anything. AWS does not document whether an update
// without a change makes a new revision. Here it makes none, so that no caller relies on one.
func (f *function) update(n name, a *alias, c aliasChange) error {
	if err := checkRevision(c.RevisionId, a.Revision); err != nil {
		return err
	}

	if c.RoutingConfig != nil && len(c.RoutingConfig.AdditionalVersionWeights) > 0 {
		return invalid("RoutingConfig of alias %s: this stand-in has no weighted aliases, "+
			"which would mix releases", a.Name)
	}

	before := *a

	if c.FunctionVersion != "" {
		if !versionPattern.MatchString(c.FunctionVersion) {
			return invalid("FunctionVersion of alias %s: found %q, expected a version",
				a.Name, c.FunctionVersion)
		}

		if _, err := f.resolve(name{n.function, c.FunctionVersion}); err != nil {
			return err
		}

		a.Version = c.FunctionVersion
	}

	if c.Description != nil {
		a.Description = *c.Description
	}

	if *a != before || a.Revision == "" {
		a.Revision = uuid.NewString()
	}

	return nil
}

func (s *Service) createAlias(r *http.Request, f *function, n name) (any, error) {
	var c aliasChange
	if err := wire.Read(r, &c); err != nil {
		return nil, err
	}

	a, err := f.createAlias(n, c)
	if err != nil {
		return nil, err
	}

	return a.configuration(n), nil
}

func (s *Service) updateAlias(r *http.Request, f *function, n name) (any, error) {
	var c aliasChange
	if err := wire.Read(r, &c); err != nil {
		return nil, err
	}

	a, err := f.alias(r, n)
	if err != nil {
		return nil, err
	}

	if err := f.update(n, a, c); err != nil {
		return nil, err
	}

	return a.configuration(n), nil
}

func (s *Service) getAlias(r *http.Request, f *function, n name) (any, error) {
	a, err := f.alias(r, n)
	if err != nil {
		return nil, err
	}

	return a.configuration(n), nil
}

func (f *function) alias(r *http.Request, n name) (*alias, error) {
	aliasName := r.PathValue("alias")

	a := f.Aliases[aliasName]
	if a == nil {
		return nil, refuse(http.StatusNotFound, "ResourceNotFoundException", "Cannot find alias arn: %s",
			name{n.function, aliasName}.arn())
	}

	return a, nil
}

func (s *Service) listAliases(r *http.Request, f *function, n name) (any, error) {
	version := r.URL.Query().Get("FunctionVersion")
	list := []aliasConfiguration{}

	for _, a := range f.Aliases {
		if version == "" || a.Version == version {
			list = append(list, a.configuration(n))
		}
	}

	slices.SortFunc(list, func(a, b aliasConfiguration) int { return strings.Compare(a.Name, b.Name) })
	page, next, err := paginate(r, list)

	return struct {
		NextMarker string `json:",omitempty"`
		Aliases    []aliasConfiguration
	}{next, page}, err
}
