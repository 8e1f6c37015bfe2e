package functions_test

import (
	"archive/zip"
	"bytes"
	"strings"
	"testing"
	"time"

	sm "lockstep/statemachine"
)

// Whatever is wrong with a release is said before anything is changed, with the file and the field.
func TestBadInput(t *testing.T) {
	for name, bad := range map[string]struct {
		spoil func(r *bundled)
		says  []string
	}{
		"a manifest that is not JSON": {
			func(r *bundled) { r.file = []byte("{\n  \"release\": v2,\n}") },
			[]string{"releases/v2/release.json", "line 2", "not JSON"},
		},
		"an unknown field": {
			func(r *bundled) { r.file = []byte(`{"release":"v2","sequence":2,"sites":{}}`) },
			[]string{"releases/v2/release.json", "sites", "not known"},
		},
		"a field of another kind": {
			func(r *bundled) { r.file = []byte(`{"release":"v2","sequence":"two"}`) },
			[]string{"releases/v2/release.json", "sequence", "string"},
		},
		"another release's manifest": {
			func(r *bundled) {
				r.file = []byte(`{"release":"v9","sequence":2,"site":{"object":"site.zip","sha256":"` +
					r.manifest.Site.SHA256 + `"}}`)
			},
			[]string{"releases/v2/release.json", "release", `"v9"`, `"v2"`},
		},
		"nothing in it": {
			func(r *bundled) { r.file = []byte(`{"release":"v2","sequence":2}`) },
			[]string{"releases/v2/release.json", "site, functions, migrations"},
		},
		"a missing object": {
			func(r *bundled) { delete(r.objects, "functions/orders.zip") },
			[]string{"releases/v2/release.json", "functions.orders.object", "functions/orders.zip",
				"no such object"},
		},
		"a wrong digest": {
			func(r *bundled) { r.objects["site.zip"] = zipOf(map[string]string{"index.html": "another"}) },
			[]string{"releases/v2/release.json", "site", "site.zip", "SHA-256", "expected"},
		},
		"an object outside of its folder": {
			func(r *bundled) { r.manifest.Site.Object = "../v1/site.zip" },
			[]string{"releases/v2/release.json", "site.object", `"../v1/site.zip"`},
		},
		"a zip that climbs out": {
			func(r *bundled) {
				r.manifest.Site.Artifact = r.pack("site.zip",
					map[string]string{"index.html": "", "../../etc/passwd": "root"})
			},
			[]string{"releases/v2/release.json", "site", "../../etc/passwd", "leaves its folder"},
		},
		"a zip with a link": {
			func(r *bundled) {
				r.objects["functions/catalog.zip"] = linkZip()
				r.manifest.Functions["catalog"] = sm.Artifact{Object: "functions/catalog.zip",
					SHA256: hexDigest(linkZip())}
			},
			[]string{"releases/v2/release.json", "functions.catalog", "bootstrap", "plain files"},
		},
		"no zip at all": {
			func(r *bundled) {
				r.objects["site.zip"] = []byte("hello")
				r.manifest.Site.SHA256 = hexDigest([]byte("hello"))
			},
			[]string{"releases/v2/release.json", "site", "not a zip"},
		},
		"an unknown function": {
			func(r *bundled) { r.manifest.Functions["payments"] = r.manifest.Functions["orders"] },
			[]string{"releases/v2/release.json", "functions.payments", "catalog, orders"},
		},
		"migrations without a database": {
			func(r *bundled) {
				migrations := r.pack("migrations.zip", map[string]string{"expand/00001_a.sql": "-- +goose Up"})
				r.manifest.Migrations = &migrations
			},
			[]string{"releases/v2/release.json", "migrations", "no database"},
		},
		"the sequence of what is live": {
			func(r *bundled) { r.manifest.Sequence = 1 },
			[]string{"releases/v2/release.json", "sequence", "found 1", "v1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				release := w.release("v2", 2, everything)
				bad.spoil(release)
				w.upload(release)
				before := w.snapshot()
				w.announceMerge("v2", release.manifest.Sequence)
				w.ends("v2", sm.Refused)

				w.took("v2", refused)
				w.complains(w.record("v2").Cause.Text, bad.says)

				if now := w.snapshot(); now != before {
					t.Errorf("something was changed:\n%s\nwas\n%s", now, before)
				}

				w.stands("a", "v1", "")
			})
		})
	}
}

func TestBadInput_OlderThanWhatIsLive(t *testing.T) {
	story(t, func(w *world) {
		w.merge(w.release("v7", 7, everything))
		w.ends("v7", sm.Released)
		w.merge(w.release("v6", 6, everything))
		w.ends("v6", sm.Refused)
		w.complains(w.record("v6").Cause.Text, []string{"releases/v6/release.json", "sequence", "found 6",
			"more than 7", "v7"})
		w.stands("a", "v7", "")
	})
}

func TestBadInput_OfTheExecution(t *testing.T) {
	for input, says := range map[string][]string{
		`{"relase":"v2"}`:                  {"execution input", "relase", `{"release":"v56"}`},
		`{"release":"../v1"}`:              {"execution input", "release", `"../v1"`},
		`{"release":7}`:                    {"execution input", "release", "number"},
		`"v2"`:                             {"execution input", "JSON object"},
		`{"release":"v404"}`:               {"releases/v404/release.json", "no such object"},
		`{"detail-type":"Lunch is ready"}`: {"execution input", "detail-type", "Lunch is ready"},
		`{"detail-type":"Release Merged","source":"lockstep.ci","detail":{"app":"other","release":"v2"}}`: {"detail.app", `"other"`, `"shop"`},
	} {
		t.Run(input, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				before := w.snapshot()
				w.start(input)
				time.Sleep(time.Minute)

				e := w.stack.Cloud.States.Executions()[0]
				if got := strings.Join(names(e), " "); got != refused {
					t.Errorf("it went %s", got)
				}

				w.complains(e.Cause, says)

				if now := w.snapshot(); now != before {
					t.Errorf("something was changed:\n%s\nwas\n%s", now, before)
				}

				w.stands("a", "v1", "")
			})
		})
	}
}

func TestConsole_WithoutInput_TakesTheNewest(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.upload(w.release("v2", 2, everything))
		time.Sleep(time.Second)
		w.upload(w.release("v3", 3, everything))
		w.start("{}")
		w.eventually(
			"v3 has ended", time.Hour, func() bool { return w.record("v3").Outcome == sm.Released })
		time.Sleep(time.Second)
		w.stands("b", "v1", "v3")
	})
}

// Whoever mends what was refused may merge it again.
func TestBadInput_Mended(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		whole := w.release("v2", 2, everything)
		spoiled := *whole
		spoiled.file = []byte("oops")
		w.merge(&spoiled)
		w.ends("v2", sm.Refused)
		w.merge(whole)
		w.eventually("v2 is under way", time.Minute, func() bool { return w.running("v2") })
		w.eventually("v2 has ended", time.Hour, func() bool { return !w.running("v2") })
		w.tookTimes("v2", refused, good)
		w.stands("b", "v1", "v2")
	})
}

func (w *world) complains(cause string, says []string) {
	w.t.Helper()

	for _, part := range says {
		if !strings.Contains(strings.ReplaceAll(cause, `\"`, `"`), part) {
			w.t.Errorf("the reason is %q, expected it to name %q", cause, part)
		}
	}
}

func linkZip() []byte {
	var b bytes.Buffer

	archive := zip.NewWriter(&b)
	header := &zip.FileHeader{Name: "bootstrap"}
	header.SetMode(0o777 | 1<<27) // a symbolic link

	f, err := archive.CreateHeader(header)
	if err == nil {
		_, err = f.Write([]byte("/etc/passwd"))
	}

	if err != nil || archive.Close() != nil {
		panic("zip")
	}

	return b.Bytes()
}

// The newest release, which {} asks for, is refused when it has the lock already: its end is
// recorded under its name.
func TestConsole_WithoutInput_RefusedWithTheLock(t *testing.T) {
	for _, operation := range []string{"DescribeAlarms", "SendTaskSuccess"} {
		for _, input := range []string{"{}", `{"release":"v2"}`} {
			t.Run(operation+" "+input, func(t *testing.T) {
				story(t, func(w *world) {
					w.quietlyLive()
					w.upload(w.release("v2", 2, everything))
					w.refuses(sm.Begin, operation, "/")
					w.start(input)
					w.ends("v2", sm.Refused)
				})
			})
		}
	}
}
