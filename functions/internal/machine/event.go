package machine

import (
	"encoding/json"
	"log/slog"
	"time"
)

// Event is what a rule of the bus hands to Signal and Recover.
type Event struct {
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Time       time.Time       `json:"time"`
	Detail     json.RawMessage `json:"detail"`
}

// LogValue is which event it is, without the detail.
func (e Event) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", e.ID), slog.String("detailType", e.DetailType),
		slog.Time("time", e.Time))
}
