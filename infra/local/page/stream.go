package page

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// interval is how often the stream sends a view.
const interval = 500 * time.Millisecond

// viewCache keeps the last view, so that further viewers cost nothing, and the colours of all
// releases, which must not change.
type viewCache struct {
	mu      sync.Mutex
	at      time.Time
	data    []byte
	colours colours
}

// view returns the current view as JSON. It takes a new snapshot at most once per interval.
func (p *page) view() ([]byte, error) {
	p.cache.mu.Lock()
	defer p.cache.mu.Unlock()

	if p.cache.data != nil && time.Since(p.cache.at) < interval*9/10 {
		return p.cache.data, nil
	}

	s := p.options.Snapshot()
	v := viewOf(s)
	v.Colours = p.cache.colours.assign(s)

	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode the view for the page: %w", err)
	}

	p.cache.at, p.cache.data = time.Now(), data

	return data, nil
}

func (p *page) snapshot(w http.ResponseWriter, r *http.Request) {
	data, err := p.view()
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}

	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(data)
}

// stream sends a view per interval as a server-sent event, until the viewer leaves.
func (p *page) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	response := http.NewResponseController(w)

	ticker := time.NewTicker(interval)
	defer ticker.Stop()

	for {
		data, err := p.view()
		if err != nil {
			return
		}

		if _, err := fmt.Fprintf(w, "data: %s\n\n", data); err != nil {
			return
		}

		if err := response.Flush(); err != nil {
			return
		}

		select {
		case <-r.Context().Done():
			return
		case <-ticker.C:
		}
	}
}
