package ledger

import (
	"strings"
	"testing"

	"lockstep/statemachine"
)

// A deleted object is what it was, with no tag: the next write makes it anew, and only one of two.
func TestGet_DeletedObject(t *testing.T) {
	store, service, _ := open()
	service.SetVersioning("state")

	etag, err := store.Put(t.Context(), "ledger/lock.json", note{"one"}, "")
	if err != nil {
		t.Fatal(err)
	}

	if err := service.Delete("state", "ledger/lock.json"); err != nil {
		t.Fatal(err)
	}

	var was note

	tag, err := store.Get(t.Context(), "ledger/lock.json", &was)
	if err != nil || tag != "" || was.Text != "one" {
		t.Fatalf("found %+v with the tag %q, %v, expected what it was and no tag", was, tag, err)
	}

	_, err = store.Put(t.Context(), "ledger/lock.json", note{"stale"}, etag)
	if statemachine.Name(err) != statemachine.StaleWrite {
		t.Errorf("whoever read it before it was deleted wrote it: %v", err)
	}

	if _, err := store.Put(t.Context(), "ledger/lock.json", note{"two"}, tag); err != nil {
		t.Fatal(err)
	}

	_, err = store.Put(t.Context(), "ledger/lock.json", note{"late"}, tag)
	if statemachine.Name(err) != statemachine.StaleWrite {
		t.Errorf("two writers restored it: %v", err)
	}

	now := note{}
	if tag, err := store.Get(t.Context(), "ledger/lock.json", &now); err != nil || tag == "" ||
		now.Text != "two" {
		t.Errorf("found %+v with the tag %q, %v", now, tag, err)
	}
}

// Keys that begin like another's are other objects.
func TestPrevious(t *testing.T) {
	store, service, _ := open()
	service.SetVersioning("state")

	etag := ""

	for _, text := range []string{"one", "two", "broken"} {
		var err error
		if etag, err = store.Put(t.Context(), "ledger/v1.json", note{text}, etag); err != nil {
			t.Fatal(err)
		}
	}

	if _, err := store.Put(t.Context(), "ledger/v1.json2", note{"another"}, ""); err != nil {
		t.Fatal(err)
	}

	for refused, want := range map[string]string{"broken": "two", "": "broken", "two": "broken"} {
		data, found, err := store.Previous(t.Context(), "ledger/v1.json", func(data []byte) bool {
			return refused == "" || !strings.Contains(string(data), refused)
		})
		if err != nil || !found || !strings.Contains(string(data), want) {
			t.Errorf("without %q: found %s, %t, %v, expected %q", refused, data, found, err, want)
		}
	}

	_, found, err := store.Previous(t.Context(), "ledger/v1.json", func([]byte) bool { return false })
	if err != nil || found {
		t.Errorf("found a version that nobody accepts, %v", err)
	}
}

func TestGet_CorruptObject(t *testing.T) {
	store, _, _ := open()

	if _, err := store.Put(t.Context(), "ledger/lock.json", "a text", ""); err != nil {
		t.Fatal(err)
	}

	if _, err := store.Get(t.Context(), "ledger/lock.json", &note{}); !statemachine.IsCorrupt(err) {
		t.Errorf("found %v, expected that the object is corrupt", err)
	}
}
