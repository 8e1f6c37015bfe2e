package functions_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	sm "lockstep/statemachine"
)

const viewer = "a.0123456789ab"

// previewed opens a link as a viewer with a cookie, and gives the cookie that they have then.
func (w *world) previewed(secret, cookie string) string {
	w.t.Helper()

	answer := w.get("/about?"+sm.PreviewQuery+"="+secret, cookie)
	if answer.StatusCode != http.StatusFound {
		return cookie
	}

	return answer.Cookies()[0].Value
}

func (w *world) gets(release, cookie string) {
	w.t.Helper()

	if got := w.get("/", cookie).Header.Get("x-amz-meta-lockstep-release"); got != release {
		w.t.Errorf("who has the cookie %s gets the page of %s, expected %s", cookie, got, release)
	}
}

// Testers have the release before any viewer does, and keep it when it is everyone's. Their link
// is good for that one.
func TestPreview_IsOfOneRelease(t *testing.T) {
	story(t, func(w *world) {
		w.live()

		var secret, tester string

		w.before(sm.Probe, func() {
			time.Sleep(convergence)

			secret = w.record("v2").Preview
			tester = w.previewed(secret, viewer)
			w.gets("v2", tester)
			w.gets("v1", viewer)
			w.gets("v1", w.previewed(sm.PreviewOff, tester))

			if got := w.previewed(strings.ToLower(secret), viewer); got != viewer {
				t.Errorf("a wrong secret gives the cookie %s", got)
			}

			if w.route().Weight != 0 {
				t.Errorf("the weight is %d", w.route().Weight)
			}
		})
		w.second()
		w.bakes("v2", 500)
		w.gets("v2", tester)
		w.ends("v2", sm.Released)
		w.stands("b", "v1", "v2")
		w.gets("v2", tester)

		w.before(sm.Probe, func() {
			time.Sleep(convergence)

			if now := w.record("v3").Preview; len(now) < 26 || now == secret {
				t.Errorf("v3 has the secret %q, v2 had %q", now, secret)
			}

			w.gets("v2", tester)

			if got := w.previewed(secret, viewer); got != viewer {
				t.Errorf("the link of v2 gives the cookie %s while v3 is under way", got)
			}

			w.gets("v3", w.previewed(w.record("v3").Preview, tester))
		})
		w.merge(w.release("v3", 3, everything))
		w.ends("v3", sm.Released)
	})
}

// A tester of what was rolled back has what everyone has.
func TestPreview_EndsWithARollback(t *testing.T) {
	story(t, func(w *world) {
		w.live()
		w.second()
		w.bakes("v2", 500)
		time.Sleep(convergence)

		tester := w.previewed(w.record("v2").Preview, viewer)
		w.gets("v2", tester)
		w.operator(sm.SignalRollback)
		w.ends("v2", sm.RolledBack)
		w.gets("v1", tester)

		if r := w.record("v2"); r.Preview != "" || w.route().Preview != "" {
			t.Errorf("the preview is still open: %q, %+v", r.Preview, w.route())
		}

		w.stands("a", "v1", "v1")
	})
}
