package functions_test

import (
	"encoding/json"
	"strings"
	"testing"

	sm "lockstep/statemachine"
)

// A deployment of Lockstep in mid-release: settings.json, and whatever Signal and the merges that
// wait write from now on, may have fields that the steps under way do not know. They go on, and
// what they don't know is there at the end.
func TestUpgrade_InMidRelease(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 500)
		w.merge(w.release("v3", 3, everything))
		w.eventually("v3 waits", minutes(5).Std(), func() bool { return strings.Contains(w.ledgerText(sm.LockKey), `"v3"`) })

		for _, key := range []string{sm.RecordKey("v2"), sm.LockKey, sm.SettingsKey} {
			var object map[string]any
			if err := json.Unmarshal([]byte(w.ledgerText(key)), &object); err != nil {
				t.Fatal(err)
			}

			object["ofTomorrow"] = map[string]any{"is": "new"}
			if queue, ok := object["queue"].([]any); ok {
				queue[0].(map[string]any)["ofTomorrow"] = "new"
			}

			data, err := json.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}

			w.put(key, data)
		}

		w.bakes("v2", 2500)

		if n := strings.Count(w.ledgerText(sm.LockKey), "ofTomorrow"); n != 2 {
			t.Errorf("the lock is %s", w.ledgerText(sm.LockKey))
		}

		w.ends("v2", sm.Released)
		w.ends("v3", sm.Released)

		for _, key := range []string{sm.RecordKey("v2"), sm.LockKey} {
			if !strings.Contains(w.ledgerText(key), `"ofTomorrow":{"is":"new"}`) {
				t.Errorf("%s has lost it: %s", key, w.ledgerText(key))
			}
		}

		w.stands("a", "v3", "v2")
	})
}

func (w *world) ledgerText(key string) string {
	object, _ := w.stack.Cloud.S3.Get(w.stack.Settings.StateBucket, key)
	return string(object.Body)
}
