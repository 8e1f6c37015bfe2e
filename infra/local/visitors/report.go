package visitors

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// Report is what all viewers have seen so far.
type Report struct {
	Counters
	// Releases counts by the release in the answer's stamp, or else by the release of the page.
	Releases map[string]Counts `json:"releases"`
	// MixedViews and Failures have the first mixed views, and the first failures outside a bad
	// release.
	MixedViews []View    `json:"mixedViews,omitempty"`
	Failures   []Failure `json:"failures,omitempty"`
}

// Counters are the totals of a run.
type Counters struct {
	PageViews int64 `json:"pageViews"`
	Requests  int64 `json:"requests"`
	// Mixed views had layers of different releases.
	Mixed int64 `json:"mixed"`
	// StraddledRollback counts the views that were open while their release was rolled back, so that
	// the API answered as another release. This is the only exception, and does not count as Mixed.
	StraddledRollback int64 `json:"straddledRollback"`
	// Failed requests had no answer or an error status. None may fail outside a bad release.
	Failed                  int64 `json:"failed"`
	FailedOutsideBadRelease int64 `json:"failedOutsideBadRelease"`
}

// Counts are the totals of one release.
type Counts struct {
	PageViews int64 `json:"pageViews"`
	Requests  int64 `json:"requests"`
	Failed    int64 `json:"failed"`
}

// View is one visit of a page, with the releases in the stamps of its layers.
type View struct {
	Viewer      int       `json:"viewer"`
	Release     string    `json:"release"`
	Environment string    `json:"environment"`
	Opened      time.Time `json:"opened"`
	Closed      time.Time `json:"closed"`
	Saw         []Sight   `json:"saw"`

	siteDiffers, apiDiffers bool
}

// Sight is a request and the release in the stamp of its answer.
type Sight struct {
	Request string `json:"request"`
	Release string `json:"release"`
}

// Failure is a request that failed outside a bad release.
type Failure struct {
	Time    time.Time `json:"time"`
	Viewer  int       `json:"viewer"`
	Release string    `json:"release"`
	Request string    `json:"request"`
	Problem string    `json:"problem"`
}

func (f Failure) String() string {
	return fmt.Sprintf("%s, viewer %d, %s of %s: %s", f.Time.Format(time.TimeOnly), f.Viewer,
		f.Request, f.Release, f.Problem)
}

const (
	maxOdd  = 1000 // odd views that wait for their verdict
	maxList = 20   // views and failures in a report
)

// Report returns the counts so far. It may be called at any time.
func (c *Crowd) Report() Report {
	c.mu.Lock()
	report, odd := c.report, slices.Clone(c.odd)
	report.Releases = maps.Clone(report.Releases)
	report.Failures = slices.Clone(report.Failures)
	c.mu.Unlock()

	for _, view := range odd {
		if view.apiDiffers && !view.siteDiffers &&
			c.options.RolledBack(view.Release, view.Opened, view.Closed) {
			report.StraddledRollback++
			continue
		}

		report.Mixed++
		if len(report.MixedViews) < maxList {
			report.MixedViews = append(report.MixedViews, view)
		}
	}

	return report
}

func (c *Crowd) opened(release string) {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.report.PageViews++
	counts := c.report.Releases[release]
	counts.PageViews++
	c.report.Releases[release] = counts
}

// closed takes a complete view.
func (c *Crowd) closed(view View) {
	if !view.siteDiffers && !view.apiDiffers {
		return
	}

	c.mu.Lock()
	defer c.mu.Unlock()

	if len(c.odd) == maxOdd {
		c.report.Mixed++ // no rollback explains so many
		return
	}

	c.odd = append(c.odd, view)
}

// answered counts a request. A status of 400 or more is a failure too, since viewers only request
// what exists.
func (c *Crowd) answered(view View, a answer, status int, err error) {
	release := cmp.Or(a.header.Get(apiStamp), a.header.Get(siteStamp), view.Release)
	if err == nil && status >= http.StatusBadRequest {
		err = fmt.Errorf("%d %s: %.200s", status, http.StatusText(status), a.body)
	}

	excused := err != nil && a.api && c.options.Bad(release)

	c.mu.Lock()
	defer c.mu.Unlock()

	counts := c.report.Releases[release]
	c.report.Requests++
	counts.Requests++

	if err != nil {
		c.report.Failed++
		counts.Failed++
	}

	if release != "" { // a page that failed has none
		c.report.Releases[release] = counts
	}

	if err == nil || excused {
		return
	}

	c.report.FailedOutsideBadRelease++
	if len(c.report.Failures) < maxList {
		c.report.Failures = append(c.report.Failures,
			Failure{time.Now(), view.Viewer, release, a.request, err.Error()})
	}
}
