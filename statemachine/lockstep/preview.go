package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"lockstep/statemachine"
)

// previewCommand is lockstep preview.
type previewCommand struct {
	Path string `arg:"" optional:"" help:"The page that the links open." default:"/"`
	JSON bool   `help:"Print JSON." name:"json"`
}

// preview is how a tester gets to the release under way before any viewer does, and away from it.
type preview struct {
	Release     string                   `json:"release"`
	Environment statemachine.Environment `json:"environment"`
	Weight      int                      `json:"weight"`
	On          string                   `json:"on"`
	Off         string                   `json:"off"`
}

// Run prints the links. The secret in them is the release's own: Deploy makes it and keeps it in
// the ledger, and it opens nothing any more once the roles are swapped or rolled back.
func (c *previewCommand) Run(s *session) error {
	if !strings.HasPrefix(c.Path, "/") || strings.ContainsAny(c.Path, "?#") {
		return invalid("path: found %q, expected one like /about, without a query: the router takes it "+
			"off", c.Path)
	}

	if err := s.connect(); err != nil {
		return err
	}

	var lock statemachine.Lock
	if _, err := s.readJSON(statemachine.LockKey, &lock); err != nil {
		return err
	}

	if lock.Holder == nil {
		return invalid("preview: no release is under way")
	}

	record, err := s.record(lock.Holder.Release)
	if err != nil {
		return err
	}

	if record.Preview == "" {
		return invalid("preview: %s is in %s; there is something to see from Deploy until the roles are "+
			"swapped or rolled back",
			lock.Holder.Release, cmp.Or(record.State, statemachine.Begin))
	}

	link := s.settings.SiteURL + c.Path + "?" + statemachine.PreviewQuery + "="

	p := preview{record.Release, record.Active, record.Weight, link + record.Preview, link +
		statemachine.PreviewOff}
	if c.JSON {
		return json.NewEncoder(s.stdout).Encode(p)
	}

	_, err = fmt.Fprintf(s.stdout, "%s is in %s, which has %s of the viewers. Whoever opens the "+
		"first link is among them until they open the\n"+
		"second, or the release ends. An edge location may take %s to know it.\n\non   %s\noff  %s\n",
		p.Release, p.Environment, percent(float64(p.Weight)/100), s.settings.EdgeConvergence, p.On, p.Off)

	return err
}
