package page

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// pace is how often the page is told how things stand.
const pace = 500 * time.Millisecond

// latest keeps the last view for one pace, so that a second viewer costs nothing, and the colours
// for good.
type latest struct {
	mu      sync.Mutex
	at      time.Time
	data    []byte
	colours colours
}

func (p *page) view() ([]byte, error) {
	p.latest.mu.Lock()
	defer p.latest.mu.Unlock()

	if p.latest.data != nil && time.Since(p.latest.at) < pace*9/10 {
		return p.latest.data, nil
	}

	s := p.options.Snapshot()
	v := viewOf(s)
	v.Colours = p.latest.colours.see(s)

	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write the snapshot for the page: %w", err)
	}

	p.latest.at, p.latest.data = time.Now(), data

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

// events streams views until the viewer leaves.
func (p *page) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	stream := http.NewResponseController(w)

	ticker := time.NewTicker(pace)
	defer ticker.Stop()

	for {
		data, err := p.view()
		if err != nil {
			return
		}

		if _, err := fmt.Fprintf(w, "data: %s\n\n", data); err != nil {
			return
		}

		if err := stream.Flush(); err != nil {
			return
		}

		select {
		case <-r.Context().Done():
			return
		case <-ticker.C:
		}
	}
}
