package visitors

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// Report is what the viewers have seen so far.
type Report struct {
	Counters
	// Releases counts by the release that answered, as far as it said so, or else whose page asked.
	Releases map[string]Counts `json:"releases"`
	// MixedViews and Failures tell more of the first that were mixed, or failed where nothing may.
	MixedViews []View    `json:"mixedViews,omitempty"`
	Failures   []Failure `json:"failures,omitempty"`
}

// Counters are the numbers by which a run is judged.
type Counters struct {
	PageViews int64 `json:"pageViews"`
	Requests  int64 `json:"requests"`
	// Mixed views had layers of different releases.
	Mixed int64 `json:"mixed"`
	// StraddledRollback are views that were open while their page's release was rolled back, so that
	// the API answered as another: the one exception there is, and not among Mixed.
	StraddledRollback int64 `json:"straddledRollback"`
	// Failed are requests without an answer of use; outside of a bad release nothing may fail.
	Failed                  int64 `json:"failed"`
	FailedOutsideBadRelease int64 `json:"failedOutsideBadRelease"`
}

// Counts are a release's.
type Counts struct {
	PageViews int64 `json:"pageViews"`
	Requests  int64 `json:"requests"`
	Failed    int64 `json:"failed"`
}

// View is one page that was open, and which release each of its layers said it is.
type View struct {
	Viewer      int       `json:"viewer"`
	Release     string    `json:"release"`
	Environment string    `json:"environment"`
	Opened      time.Time `json:"opened"`
	Closed      time.Time `json:"closed"`
	Saw         []Sight   `json:"saw"`

	siteDiffers, apiDiffers bool
}

// Sight is an answer and its stamp.
type Sight struct {
	Request string `json:"request"`
	Release string `json:"release"`
}

// Failure is a request that failed outside of a bad release.
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
	kept   = 1000 // until the news of a rollback decides what they were
	listed = 20
)

// Report tells how it stands; it may be called at any time.
func (c *Crowd) Report() Report {
	c.mu.Lock()
	report, odd := c.report, slices.Clone(c.odd)
	report.Releases = maps.Clone(report.Releases)
	report.Failures = slices.Clone(report.Failures)
	c.mu.Unlock()

	for _, view := range odd {
		if view.apiDiffers && !view.siteDiffers && c.options.RolledBack(view.Release, view.Opened,
			view.Closed) {
			report.StraddledRollback++
			continue
		}

		report.Mixed++
		if len(report.MixedViews) < listed {
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

// closed judges a view that was seen to its end.
func (c *Crowd) closed(view View) {
	if !view.siteDiffers && !view.apiDiffers {
		return
	}

	c.mu.Lock()
	defer c.mu.Unlock()

	if len(c.odd) == kept {
		c.report.Mixed++ // so many are no rollback's doing
		return
	}

	c.odd = append(c.odd, view)
}

// asked counts a request. A status from 400 on is a failure too: viewers ask for nothing that is
// not there.
func (c *Crowd) asked(view View, a answer, status int, err error) {
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
	if len(c.report.Failures) < listed {
		c.report.Failures = append(c.report.Failures,
			Failure{time.Now(), view.Viewer, release, a.request, err.Error()})
	}
}
