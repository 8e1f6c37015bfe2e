package step

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"lockstep/functions/internal/artifact"
	"lockstep/functions/internal/environment"
	"lockstep/functions/internal/ledger"
	sm "lockstep/statemachine"
)

// HTTP makes the probe's calls.
type HTTP interface {
	Do(*http.Request) (*http.Response, error)
}

// Lambdas calls a function of the team's. It returns Throttled, and what the function failed with.
type Lambdas interface {
	Invoke(ctx context.Context, function string, question any) (answer []byte, err error)
}

// Probe calls active before any viewer does: the calls that the manifest names, the stamp of the
// entry page, and a Lambda of the team's if there is one. It writes the record and nothing else,
// so it may run any number of times. It returns ProbeFailed.
type Probe struct {
	Ledger   ledger.Ledger
	Settings sm.Settings
	Bundles  artifact.Reader
	Sites    environment.Sites
	HTTP     HTTP
	Lambdas  Lambdas
}

// A stage variable takes a moment to reach every host of the API, and a first call a moment to
// start.
const (
	probeTries   = 5
	probePause   = time.Second
	probeTimeout = 30 * time.Second
)

// Run probes.
func (p *Probe) Run(ctx context.Context, doc sm.Document) (sm.Document, error) {
	if _, err := p.Ledger.Enter(ctx, doc, sm.Probe); err != nil {
		return doc, err
	}

	m, err := artifact.Manifest(ctx, p.Bundles, doc.Release)
	if err != nil {
		return doc, sm.Wrap(sm.ProbeFailed, "probe "+doc.Release, err)
	}

	if err := p.page(ctx, doc, m); err != nil {
		return doc, sm.Wrap(sm.ProbeFailed, "probe "+doc.Release, err)
	}

	for i, probe := range m.Probes {
		if err := p.try(ctx, doc.Active, probe); err != nil {
			return doc, sm.Wrap(sm.ProbeFailed, fmt.Sprintf("probes[%d] of %s", i, doc.Release), err)
		}
	}

	text := fmt.Sprintf("%s answers in %s as it should; probes: %d",
		doc.Release, doc.Active, len(m.Probes))

	if own := p.Settings.Probe; own != nil {
		if err := p.ask(ctx, doc, *own); err != nil {
			op := fmt.Sprintf("probe %s by the function %s", doc.Release, own.Function)
			return doc, sm.Wrap(sm.ProbeFailed, op, err)
		}

		text += "; " + own.Function + " agrees"
	}

	event := sm.Event{State: sm.Probe, Kind: sm.EventProbed, Text: text}
	_, err = p.Ledger.Append(ctx, doc, event)

	return doc, err
}

// ask calls the team's own function.
func (p *Probe) ask(ctx context.Context, doc sm.Document, own sm.ProbeFunction) error {
	limited, cancel := context.WithTimeout(ctx, own.Timeout.Std())
	defer cancel()

	site := p.Settings.SiteURL

	data, err := p.Lambdas.Invoke(limited, own.Function, sm.ProbeQuestion{
		Environment: doc.Active, Release: doc.Release,
		SiteURL: site, APIBase: site + "/" + doc.Active.Stage(),
	})
	if limited.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("found no answer within %s, expected one", own.Timeout)
	}

	if err != nil {
		return err
	}

	var answer sm.ProbeAnswer
	if err := json.Unmarshal(data, &answer); err != nil || !answer.OK && answer.Reason == "" {
		return fmt.Errorf(
			`found the answer %.200s, expected {"ok": true}, or {"ok": false, "reason": "..."}`, data)
	}

	if !answer.OK {
		return errors.New(answer.Reason)
	}

	return nil
}

// page makes sure that the entry page in active is this release's.
func (p *Probe) page(ctx context.Context, doc sm.Document, m sm.Manifest) error {
	if m.Site == nil {
		return nil
	}

	stamp, found, err := p.Sites.Stamp(ctx, doc.Active, "index.html")
	if err != nil {
		return err
	}

	if !found || stamp != doc.Release {
		return fmt.Errorf(
			"index.html in %s: found the release %q, expected %q: does site/ hold an index.html?",
			doc.Active, stamp, doc.Release)
	}

	return nil
}

func (p *Probe) try(ctx context.Context, e sm.Environment, probe sm.HTTPProbe) (err error) {
	for i := range probeTries {
		if i > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(probePause):
			}
		}

		if err = p.call(ctx, p.Settings.SiteURL+"/"+e.Stage()+probe.Path, probe); err == nil {
			return nil
		}
	}

	return err
}

func (p *Probe) call(ctx context.Context, url string, probe sm.HTTPProbe) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}

	response, err := p.HTTP.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()

	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}

	expected := probe.Status
	if expected == 0 {
		expected = http.StatusOK
	}

	if response.StatusCode != expected {
		return fmt.Errorf("GET %s: found status %d, expected %d: %.200s",
			url, response.StatusCode, expected, body)
	}

	if !strings.Contains(string(body), probe.Contains) {
		return fmt.Errorf("GET %s: found %.200q, expected it to contain %q", url, body, probe.Contains)
	}

	return nil
}
