package page

import (
	"slices"

	sm "lockstep/statemachine"
)

// environment is one of the two stacks and what each of its layers carries.
type environment struct {
	Name    sm.Environment `json:"name"`
	Role    string         `json:"role"`
	Duty    string         `json:"duty"`  // what the role means just now
	Share   int            `json:"share"` // of the viewers, in basis points
	Release string         `json:"release"`
	Settled bool           `json:"settled"`
	Preview string         `json:"preview,omitempty"` // the link for testers
	Layers  []layer        `json:"layers"`
}

// layer is one link of the chain.
type layer struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Release string `json:"release"`
	Detail  string `json:"detail"`
}

// schema is the database, which both environments share.
type schema struct {
	Release    string `json:"release"`
	Expanded   bool   `json:"expanded"`
	Contracted bool   `json:"contracted"`
}

func environmentsOf(s Snapshot, current sm.Record) []environment {
	list := []environment{}

	for _, name := range sm.Environments() {
		carries := s.Carries[name]

		e := environment{Name: name, Release: carries.Release, Settled: carries.InSync, Layers: []layer{}}
		switch name {
		case s.Control.Active:
			e.Role, e.Duty = "active", "receives the next release"
			if current.Release != "" && current.Outcome == "" && current.Active == name {
				e.Duty = "receives " + current.Release
				if current.Preview != "" {
					e.Preview = "/?" + sm.PreviewQuery + "=" + current.Preview
				}
			}
		case s.Control.Fallback:
			e.Role = "fallback"
		}

		switch name {
		case s.Route.Active:
			e.Share = s.Route.Weight
		case s.Route.Fallback:
			e.Share = sm.FullWeight - s.Route.Weight
		}

		if e.Role == "fallback" {
			switch e.Share {
			case sm.FullWeight:
				e.Duty = "serves everyone"
			case 0:
				e.Duty = "stands by"
			default:
				e.Duty = "serves everyone else"
			}
		}

		site := layer{Kind: "site", Name: "site"}
		if carries.Site != nil {
			site.Release = carries.Site.Release
		}

		api := layer{Kind: "api", Name: name.Stage()}
		if stage, ok := s.Stages[name]; ok {
			api.Detail = "alias " + stage.Alias
			if stage.Release != sm.NoRelease {
				api.Release = stage.Release
			}
		}

		e.Layers = append(e.Layers, site, api)

		for _, function := range sorted(carries.Functions) {
			c := carries.Functions[function]
			e.Layers = append(e.Layers, layer{"function", function, c.Release, "version " + c.Version})
		}

		list = append(list, e)
	}

	return list
}

func sorted(functions map[string]sm.FunctionState) []string {
	names := make([]string, 0, len(functions))
	for name := range functions {
		names = append(names, name)
	}

	slices.Sort(names)

	return names
}

// schemaOf finds the newest release whose migrations the database has.
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
