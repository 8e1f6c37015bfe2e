package page

import (
	"maps"
	"slices"

	sm "lockstep/statemachine"
)

// environment is one of the two environments and what each of its layers carries.
type environment struct {
	Name    sm.Environment `json:"name"`
	Role    string         `json:"role"`  // "active", "fallback" or ""
	Duty    string         `json:"duty"`  // what the environment does now, in words
	Share   int            `json:"share"` // of the viewers, in basis points
	Release string         `json:"release"`
	InSync  bool           `json:"inSync"`
	Preview string         `json:"preview,omitempty"` // the link for testers
	Layers  []layer        `json:"layers"`
}

// layer is one layer of an environment: the site, the API stage, or a function.
type layer struct {
	Kind    string `json:"kind"` // "site", "api" or "function"
	Name    string `json:"name"`
	Release string `json:"release"`
	Detail  string `json:"detail"`
}

// schema is the schema of the database, which both environments share.
type schema struct {
	Release    string `json:"release"`
	Expanded   bool   `json:"expanded"`
	Contracted bool   `json:"contracted"`
}

func environmentsOf(s Snapshot, current sm.Record) []environment {
	list := []environment{}

	for _, name := range sm.Environments() {
		state := s.Environments[name]

		e := environment{
			Name: name, Share: shareOf(s.Route, name), Release: state.Release, InSync: state.InSync,
			Layers: layersOf(s, name),
		}

		switch name {
		case s.Control.Active:
			e.Role, e.Duty = "active", "receives the next release"
			if current.Release != "" && current.Outcome == "" && current.Active == name {
				e.Duty = "receives " + current.Release
				e.Preview = previewLink(current)
			}
		case s.Control.Fallback:
			e.Role, e.Duty = "fallback", fallbackDuty(e.Share)
		}

		list = append(list, e)
	}

	return list
}

// shareOf is the share of the viewers that an environment has, in basis points.
func shareOf(route sm.Route, name sm.Environment) int {
	switch name {
	case route.Active:
		return route.Weight
	case route.Fallback:
		return sm.FullWeight - route.Weight
	}

	return 0
}

func fallbackDuty(share int) string {
	switch share {
	case sm.FullWeight:
		return "serves everyone"
	case 0:
		return "stands by"
	}

	return "serves everyone else"
}

func previewLink(r sm.Record) string {
	if r.Preview == "" {
		return ""
	}

	return "/?" + sm.PreviewQuery + "=" + r.Preview
}

func layersOf(s Snapshot, name sm.Environment) []layer {
	state := s.Environments[name]

	site := layer{Kind: "site", Name: "site"}
	if state.Site != nil {
		site.Release = state.Site.Release
	}

	api := layer{Kind: "api", Name: name.Stage()}
	if stage, ok := s.Stages[name]; ok {
		api.Detail = "alias " + stage.Alias
		if stage.Release != sm.NoRelease {
			api.Release = stage.Release
		}
	}

	layers := []layer{site, api}

	for _, function := range slices.Sorted(maps.Keys(state.Functions)) {
		f := state.Functions[function]
		layers = append(layers, layer{"function", function, f.Release, "version " + f.Version})
	}

	return layers
}

// schemaOf finds the newest release whose migrations were applied to the database.
func schemaOf(records []sm.Record) schema {
	for _, r := range slices.Backward(records) {
		if r.Contracted {
			return schema{r.Release, true, true}
		}

		if r.Expanded && (r.Outcome == "" || r.Outcome == sm.Released) {
			return schema{r.Release, true, false}
		}
	}

	return schema{}
}
