// Package page is what a person sees of the local run: one page at /_lockstep that shows a release
// on its way, live, and lets them take the operator's part. It only draws what a Snapshot says;
// whoever wires the local run assembles the snapshots.
package page

import (
	"context"
	"embed"
	"encoding/json"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"lockstep/infra/local/loopback"
)

// Prefix is where the page is served.
const Prefix = "/_lockstep"

//go:embed assets
var embedded embed.FS

// Options connect the page to the run it shows.
type Options struct {
	// Snapshot tells how things stand now; it is called at most twice a second, however many look.
	Snapshot func() Snapshot
	// Do carries out an operator's word: a statemachine.SignalKind, or "release" with a release's id.
	Do func(ctx context.Context, action, release string) error
}

// New makes the handler of everything below Prefix. A stream of events ends with its request's
// context, so a server that shuts down must cancel its base context or Close.
func New(options Options) http.Handler {
	p := &page{options: options}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Prefix, p.index)
	mux.HandleFunc("GET "+Prefix+"/{$}", p.index)
	mux.HandleFunc("GET "+Prefix+"/{asset}", asset)
	mux.HandleFunc("GET "+Prefix+"/events", p.events)
	mux.HandleFunc("GET "+Prefix+"/snapshot", p.snapshot)
	mux.HandleFunc("POST "+Prefix+"/do", p.do)

	return loopback.Only(http.NewCrossOriginProtection().Handler(mux))
}

type page struct {
	options Options
	latest  latest
}

func (p *page) index(w http.ResponseWriter, r *http.Request) { serve(w, "index.html") }

func asset(w http.ResponseWriter, r *http.Request) { serve(w, r.PathValue("asset")) }

func serve(w http.ResponseWriter, name string) {
	data, err := fs.ReadFile(embedded, path.Join("assets", name))
	if err != nil {
		http.Error(w, "there is no such file on this page", http.StatusNotFound)
		return
	}

	header := w.Header()
	header.Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	header.Set("Cache-Control", "no-cache")
	header.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; "+
		"img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")

	_, _ = w.Write(data)
}

// do takes only JSON, which no foreign form can send, from this origin, which
// CrossOriginProtection sees to.
func (p *page) do(w http.ResponseWriter, r *http.Request) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		refuse(w, http.StatusUnsupportedMediaType, "found content of another type, expected "+
			"application/json")

		return
	}

	var word struct {
		Action  string `json:"action"`
		Release string `json:"release"`
	}

	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096))
	decoder.DisallowUnknownFields()

	if err := decoder.Decode(&word); err != nil {
		refuse(w, http.StatusBadRequest, "read the request: "+err.Error())
		return
	}

	if !known(word.Action) {
		refuse(w, http.StatusBadRequest, "action: found \""+word.Action+"\", expected one of "+
			strings.Join(actions(), ", "))

		return
	}

	if err := p.options.Do(r.Context(), word.Action, word.Release); err != nil {
		refuse(w, http.StatusConflict, err.Error())
		return
	}

	w.WriteHeader(http.StatusNoContent)
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message})
}
