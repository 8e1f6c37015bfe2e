package main

import (
	"cmp"
	"encoding/json"
	"strings"

	"lockstep/statemachine"
)

// previewCommand is lockstep preview.
type previewCommand struct {
	Path string `arg:"" optional:"" help:"The page that the link opens." default:"/"`
	JSON bool   `help:"Print JSON." name:"json"`
}

// preview is what the command prints: On takes a tester to the release under way, whatever its
// weight, and Off back. Weight is in basis points.
type preview struct {
	Release     string                   `json:"release"`
	Environment statemachine.Environment `json:"environment"`
	Weight      int                      `json:"weight"`
	On          string                   `json:"on"`
	Off         string                   `json:"off"`
}

// Run prints the links. The secret in them is the release's own: Deploy makes it and keeps it in
// the ledger. It ends with the promotion or the rollback.
func (c *previewCommand) Run(s *session) error {
	if !strings.HasPrefix(c.Path, "/") || strings.ContainsAny(c.Path, "?#") {
		return invalid("path: found %q, expected one like /about, without a query: the router drops "+
			"the query", c.Path)
	}

	if err := s.connect(); err != nil {
		return err
	}

	lock, err := s.lock()
	if err != nil {
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
		return invalid("preview: %s is in %s; the preview is open from Deploy until the promotion or a "+
			"rollback", lock.Holder.Release, cmp.Or(record.State, statemachine.Begin))
	}

	link := s.settings.SiteURL + c.Path + "?" + statemachine.PreviewQuery + "="

	p := preview{record.Release, record.Active, record.Weight, link + record.Preview, link +
		statemachine.PreviewOff}
	if c.JSON {
		return json.NewEncoder(s.stdout).Encode(p)
	}

	s.say("%s is in environment %s, which has %s of the viewers. The first link takes you there\n"+
		"until you open the second, or the release ends. It may take %s to reach every edge location."+
		"\n\non   %s\noff  %s", p.Release, p.Environment, percent(float64(p.Weight)/100),
		s.settings.EdgeConvergence, p.On, p.Off)

	return nil
}
