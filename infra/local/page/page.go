// Package page serves the page of the local run at /_lockstep. It shows a release live and lets its
// viewer act as the operator. It only draws snapshots; infra/local assembles them.
package page

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"lockstep/infra/local/loopback"
)

// Prefix is where the page is served.
const Prefix = "/_lockstep"

// contentSecurityPolicy allows the page nothing but its own files and its own API.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; " +
	"img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

//go:embed assets
var embedded embed.FS

// Options connect the page to the run it shows.
type Options struct {
	// Snapshot returns the present state of the run. It is called at most twice a second, however
	// many browsers are open.
	Snapshot func() Snapshot
	// Do carries out an operator's action: a statemachine.SignalKind, "freeze", "unfreeze", or
	// "release" with the id of a release. The page shows the text of its error.
	Do func(ctx context.Context, action, release string) error
}

// New returns the handler of everything below Prefix. The stream at /_lockstep/events lasts as long
// as its request's context, so a server that shuts down must cancel its base context or Close.
func New(options Options) http.Handler {
	p := &page{options: options}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Prefix, p.index)
	mux.HandleFunc("GET "+Prefix+"/{$}", p.index)
	mux.HandleFunc("GET "+Prefix+"/{asset}", asset)
	mux.HandleFunc("GET "+Prefix+"/events", p.stream)
	mux.HandleFunc("GET "+Prefix+"/snapshot", p.snapshot)
	mux.HandleFunc("POST "+Prefix+"/do", p.do)

	return loopback.Only(http.NewCrossOriginProtection().Handler(mux))
}

type page struct {
	options Options
	cache   viewCache
}

func (p *page) index(w http.ResponseWriter, r *http.Request) { serve(w, "index.html") }

func asset(w http.ResponseWriter, r *http.Request) { serve(w, r.PathValue("asset")) }

func serve(w http.ResponseWriter, name string) {
	data, err := fs.ReadFile(embedded, path.Join("assets", name))
	if err != nil {
		http.Error(w, "the page has no such file", http.StatusNotFound)
		return
	}

	header := w.Header()
	header.Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	header.Set("Cache-Control", "no-cache")
	header.Set("Content-Security-Policy", contentSecurityPolicy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")

	_, _ = w.Write(data)
}

// do carries out an action. It accepts only JSON, which a form of another site cannot send;
// CrossOriginProtection refuses other origins.
func (p *page) do(w http.ResponseWriter, r *http.Request) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		refuse(w, http.StatusUnsupportedMediaType, fmt.Sprintf(
			"Content-Type: found %q, expected application/json", kind))

		return
	}

	var request struct {
		Action  string `json:"action"`
		Release string `json:"release"`
	}

	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096))
	decoder.DisallowUnknownFields()

	if err := decoder.Decode(&request); err != nil {
		refuse(w, http.StatusBadRequest, "parse the request: "+err.Error())
		return
	}

	if !isAction(request.Action) {
		refuse(w, http.StatusBadRequest, fmt.Sprintf("action: found %q, expected one of %s",
			request.Action, strings.Join(allActions(), ", ")))

		return
	}

	if err := p.options.Do(r.Context(), request.Action, request.Release); err != nil {
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
