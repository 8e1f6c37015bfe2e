package machine

import (
	"encoding/json"
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
