package functions_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/cloud/s3"
	"lockstep/infra/local/cloud/scheduler"
	sm "lockstep/statemachine"
	"lockstep/statemachine/bundle"
)

// bundled is a release as CI uploads it, before a story spoils it.
type bundled struct {
	manifest sm.Manifest
	objects  map[string][]byte // by their names in the manifest
	file     []byte            // the manifest, where it is not what Encode makes of it
}

// brings says which layers a release has.
type brings struct {
	site       bool
	functions  []string
	migrations map[string]string // files by path
	probes     []sm.HTTPProbe
}

var everything = brings{site: true, functions: []string{"catalog", "orders"},
	probes: []sm.HTTPProbe{{Path: "/catalog", Contains: `"of":"catalog"`}}}

var placeholder = zipOf(map[string]string{"bootstrap": "nothing yet"})

// release makes a release whose layers all say who built them.
func (w *world) release(id string, sequence int64, b brings) *bundled {
	r := &bundled{manifest: sm.Manifest{Release: id, Sequence: sequence, Probes: b.probes},
		objects: map[string][]byte{}}
	if b.site {
		r.manifest.Site = &sm.Site{Artifact: r.pack("site.zip", map[string]string{
			"index.html": page(id), "assets/app-" + id + ".js": asset(id),
		})}
	}

	for _, name := range b.functions {
		if r.manifest.Functions == nil {
			r.manifest.Functions = map[string]sm.Artifact{}
		}

		r.manifest.Functions[name] = r.pack("functions/"+name+".zip",
			map[string]string{"bootstrap": name + " of " + id})
		w.runner.Handle(lambda.Digest(r.objects["functions/"+name+".zip"]), w.answering(id, name))
	}

	if b.migrations != nil {
		migrations := r.pack("migrations.zip", b.migrations)
		r.manifest.Migrations = &migrations
	}

	return r
}

func (r *bundled) pack(object string, files map[string]string) sm.Artifact {
	r.objects[object] = zipOf(files)
	return sm.Artifact{Object: object, SHA256: hexDigest(r.objects[object])}
}

func hexDigest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// page is an entry page before the deployment fills it in.
func page(release string) string {
	return `<!doctype html><meta name="lockstep-release" content="%LOCKSTEP_RELEASE%">
<meta name="lockstep-environment" content="%LOCKSTEP_ENVIRONMENT%"><meta name="lockstep-api" content="%LOCKSTEP_API%">
<script src="/assets/app-` + release + `.js"></script>`
}

func asset(release string) string { return "/* lockstep-release: " + release + " */" }

// answering is a function of the shop.
func (w *world) answering(release, name string) lambda.Handler {
	return func(_ context.Context, payload []byte) ([]byte, error) {
		var event struct{ Source string }
		// Nearly all are calls of the API: only what may be an event is read.
		if bytes.Contains(payload, []byte(`"shop"`)) && json.Unmarshal(payload, &event) == nil &&
			event.Source == "shop" {
			w.mu.Lock()
			defer w.mu.Unlock()

			w.heard = append(w.heard, release)
			if w.failing[release] == "events" {
				return nil, errors.New("cannot make anything of it")
			}

			return nil, nil
		}

		status := http.StatusOK
		if w.broken(release) == name {
			status = http.StatusInternalServerError
		}

		return json.Marshal(map[string]any{
			"statusCode": status, "headers": map[string]string{"x-lockstep-release": release},
			"body": fmt.Sprintf(`{"products":[{"id":1}],"of":%q}`, name),
		})
	}
}

// zipOf packs plain files, always to the same bytes.
func zipOf(files map[string]string) []byte {
	var b bytes.Buffer

	archive := zip.NewWriter(&b)

	for _, name := range slices.Sorted(maps.Keys(files)) {
		header := &zip.FileHeader{Name: name, Method: zip.Deflate}
		header.SetMode(0o755)

		f, err := archive.CreateHeader(header)
		if err == nil {
			_, err = f.Write([]byte(files[name]))
		}

		if err != nil {
			panic(err)
		}
	}

	if err := archive.Close(); err != nil {
		panic(err)
	}

	return b.Bytes()
}

// upload puts a release into the state bucket, the manifest last.
func (w *world) upload(r *bundled) {
	w.t.Helper()

	id := r.manifest.Release

	w.mu.Lock()
	w.releases[id] = r
	w.mu.Unlock()

	for object, data := range r.objects {
		w.put("releases/"+id+"/"+object, data)
	}

	file := r.file
	if file == nil {
		file = bundle.Encode(r.manifest)
	}

	w.put("releases/"+id+"/release.json", file)
}

func (w *world) put(key string, data []byte) {
	w.t.Helper()

	if err := w.stack.Cloud.S3.Put(w.stack.Settings.StateBucket, key,
		s3.Object{Body: data}); err != nil {
		w.t.Fatal(err)
	}
}

// merge uploads a release and says that it was merged.
func (w *world) merge(r *bundled) {
	w.t.Helper()
	w.upload(r)
	w.announceMerge(r.manifest.Release, r.manifest.Sequence)
}

func (w *world) announceMerge(release string, sequence int64) {
	w.t.Helper()
	w.putEvent(sm.SourceCI, sm.DetailMerge, sm.Merge{App: app, Release: release, Sequence: sequence})
}

// operator speaks a word.
func (w *world) operator(action sm.SignalKind) {
	w.t.Helper()
	w.putEvent(sm.SourceOperator, sm.DetailOperator,
		sm.Operator{App: app, Action: action, Reason: "says the story"})
}

func (w *world) putEvent(source, detailType string, detail any) {
	w.t.Helper()

	data, err := json.Marshal(detail)
	if err != nil {
		w.t.Fatal(err)
	}

	out, err := eventbridge.NewFromConfig(w.config).PutEvents(w.t.Context(),
		&eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
			Source: &source, DetailType: &detailType, Detail: sdk.String(string(data)), EventBusName: sdk.String("default"),
		}}})
	if err == nil && out.FailedEntryCount > 0 {
		err = fmt.Errorf("refused: %s", sdk.ToString(out.Entries[0].ErrorMessage))
	}

	if err != nil {
		w.t.Fatalf("put %s: %v", detailType, err)
	}
}

// start starts an execution with an input, as the console does.
func (w *world) start(input string) {
	w.t.Helper()

	if _, err := w.stack.Cloud.States.Start(w.stack.Settings.Machine, "", input); err != nil {
		w.t.Fatal(err)
	}
}

// live releases v1, the first, and lets viewers come: how most stories begin. v1 is in a, which
// Lockstep began with, and b is the next to be written.
func (w *world) live() {
	w.t.Helper()
	w.merge(w.release("v1", 1, everything))
	w.ends("v1", sm.Released)
	w.viewersCome()
	time.Sleep(10 * time.Second)
}

// quietlyLive is live with metrics in place of viewers.
func (w *world) quietlyLive() {
	w.t.Helper()
	w.merge(w.release("v1", 1, everything))
	w.ends("v1", sm.Released)
	w.callsAreMeasured()
}

// bakes waits until a release bakes at a share of the viewers.
func (w *world) bakes(release string, weight int) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%s bakes at %d", release, weight), 2*time.Hour, func() bool {
		r := w.record(release)
		return w.isIn("Ramp") && r.Wait != nil && r.Weight == weight
	})
}

// clock is the schedule that ends a bake. It is wound when the record says already that the
// release bakes.
func (w *world) clock() scheduler.Schedule {
	w.t.Helper()
	w.eventually("a clock is wound", time.Minute,
		func() bool { return len(w.stack.Cloud.Scheduler.List()) > 0 })

	return w.stack.Cloud.Scheduler.List()[0]
}

// reaches waits until an execution is in a state.
func (w *world) reaches(state string) {
	w.t.Helper()
	w.eventually("an execution reaches "+state, 2*time.Hour, func() bool { return w.isIn(state) })
}

// second is the release that most stories are about, under way in b while v1 serves.
func (w *world) second() { w.t.Helper(); w.merge(w.release("v2", 2, everything)) }

// ends waits until a release has ended, and says how.
func (w *world) ends(release string, outcome sm.Outcome) {
	w.t.Helper()
	w.endsWithin(2*time.Hour, release, outcome)
}

func (w *world) endsWithin(limit time.Duration, release string, outcome sm.Outcome) {
	w.t.Helper()
	w.eventually(release+" has ended", limit, func() bool {
		return w.record(release).Outcome != "" &&
			!w.running(release)
	})

	if r := w.record(release); r.Outcome != outcome {
		w.t.Fatalf("%s was %s: %s; expected %s\n%s", release, r.Outcome, r.Cause, outcome, w.story())
	}
}
