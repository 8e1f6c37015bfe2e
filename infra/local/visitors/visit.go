package visitors

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"lockstep/infra/local/front"
	"lockstep/statemachine"
)

// requestTimeout is longer than the timeout of API Gateway.
const requestTimeout = 35 * time.Second

const (
	// apiStamp is the header with the release of the API, and buildStamp the header with the release
	// that the function was built for. If buildStamp is missing, apiStamp has the latter.
	apiStamp   = "X-Lockstep-Release"
	buildStamp = "X-Lockstep-Build"
	// siteStamp is the header with the release that wrote an object of the site.
	siteStamp = "X-Amz-Meta-" + statemachine.MetadataRelease
)

var names = []string{
	"Ada Lovelace", "Alan Turing", "Hypatia", "Grace Hopper",
	"Emmy Noether", "Katherine Johnson", "Sappho", "Niels Bohr",
}

// visit opens the page, loads its assets, calls the API, and sometimes orders.
func (v *viewer) visit(ctx context.Context) {
	view := View{Viewer: v.number, Opened: time.Now()}

	answered, ok := v.ask(ctx, &view, http.MethodGet, "/", "document", nil)
	if !ok {
		return
	}

	entry := readPage(answered.body)
	view.Release, view.Environment = entry.release, entry.environment
	view.site(v.crowd.options.Built, answered)
	v.crowd.opened(entry.release)

	for _, asset := range entry.assets {
		if answered, ok = v.ask(ctx, &view, http.MethodGet, asset, destination(asset), nil); ok {
			view.site(v.crowd.options.Built, answered)
		}
	}

	products := v.call(ctx, &view, http.MethodGet, entry.api, "catalog", nil)
	v.call(ctx, &view, http.MethodGet, entry.api, "orders", nil)

	if v.dice.Float64() < v.crowd.options.Orders {
		product, name := v.pick(products), names[v.dice.IntN(len(names))]
		order := fmt.Sprintf(`{"product":%d,"name":%q}`, product, name)
		v.call(ctx, &view, http.MethodPost, entry.api, "orders", []byte(order))
	}

	if ctx.Err() == nil {
		view.Closed = time.Now()
		v.crowd.closed(view)
	}
}

// pick chooses a product of the catalog.
func (v *viewer) pick(catalog []byte) int64 {
	var list struct{ Products []struct{ ID int64 } }
	if json.Unmarshal(catalog, &list) != nil || len(list.Products) == 0 {
		return 1
	}

	return list.Products[v.dice.IntN(len(list.Products))].ID
}

func (v *viewer) call(
	ctx context.Context, view *View, method, api, function string, body []byte,
) []byte {
	answered, ok := v.ask(ctx, view, method, api+"/"+function, "empty", body)
	if stamp := answered.header.Get(apiStamp); ok || stamp != "" {
		view.api(v.crowd.options.Built, function, answered)
	}

	return answered.body
}

// answer is the answer to a request. Its header and body are empty if there was none.
type answer struct {
	request string
	api     bool
	header  http.Header
	body    []byte
}

// ask sends one request as a browser does, and counts it. ok is false if the request failed.
func (v *viewer) ask(
	ctx context.Context, view *View, method, path, destination string, body []byte,
) (_ answer, ok bool) {
	a := answer{request: method + " " + path, api: destination == "empty"}
	if destination != "document" && !sleep(ctx, v.upTo(v.crowd.options.Pause)) {
		return a, false
	}

	waiting, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()

	request, err := http.NewRequestWithContext(waiting, method, v.crowd.options.Origin+path,
		bytes.NewReader(body))
	if err != nil {
		v.crowd.answered(*view, a, 0, err)
		return a, false
	}

	request.Header.Set("User-Agent", "Mozilla/5.0 (Lockstep visitor)")
	request.Header.Set("Sec-Fetch-Dest", destination)
	request.Header.Set("Accept", "*/*")
	request.Header.Set(front.LocationHeader, fmt.Sprint(v.number))

	if destination == "document" {
		request.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	}

	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}

	status := 0

	response, err := v.client.Do(request)
	if err == nil {
		status, a.header = response.StatusCode, response.Header
		a.body, err = io.ReadAll(response.Body)
		_ = response.Body.Close()
	}

	if ctx.Err() != nil { // the run ends: a request that was cut off does not count
		return a, false
	}

	v.crowd.answered(*view, a, status, err)

	return a, err == nil && status < http.StatusBadRequest
}

// destination is the Sec-Fetch-Dest of an asset.
func destination(path string) string {
	switch path[strings.LastIndexByte(path, '.')+1:] {
	case "js", "mjs":
		return "script"
	case "css":
		return "style"
	}

	return "image"
}

// site compares the stamps of an object of the site: in its metadata, which the deployment wrote,
// and in its body, which the build wrote.
func (view *View) site(built func(release, layer string) string, a answer) {
	stamp, want := a.header.Get(siteStamp), view.Release
	if !strings.HasSuffix(a.request, " /") {
		want = built(view.Release, "site")
		if found := bodyStamp.FindSubmatch(a.body); found != nil {
			view.saw(a.request, string(found[1]))
			view.siteDiffers = view.siteDiffers || string(found[1]) != built(view.Release, "assets")
		}
	}

	view.saw(a.request, stamp)
	view.siteDiffers = view.siteDiffers || stamp != want
}

// api compares the stamps of an answer of the API.
func (view *View) api(built func(release, layer string) string, function string, a answer) {
	stamp, build := a.header.Get(apiStamp), a.header.Get(buildStamp)
	if build == "" {
		stamp, build = view.Release, stamp
	}

	view.saw(a.request, build)
	view.apiDiffers = view.apiDiffers || stamp != view.Release ||
		build != built(view.Release, function)
}

func (view *View) saw(request, release string) {
	view.Saw = append(view.Saw, Sight{request, release})
}
