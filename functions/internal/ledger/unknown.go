package ledger

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
)

// kept is an object of the ledger with what this version of Lockstep does not know of it. A release under way keeps the steps
// that it began with, and Signal, Recover and whoever waits in the queue may be newer: what they wrote survives a write of an
// older one.
type kept[T any] struct {
	value T
	read  []byte
}

func (k *kept[T]) UnmarshalJSON(data []byte) error {
	k.read = bytes.Clone(data)
	return json.Unmarshal(data, &k.value)
}

func (k kept[T]) MarshalJSON() ([]byte, error) {
	now, err := json.Marshal(k.value)
	if err != nil || k.read == nil {
		return now, err
	}
	var before T
	if err := json.Unmarshal(k.read, &before); err != nil {
		return nil, err
	}
	known, err := json.Marshal(before)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(known, k.read) { // this version wrote it
		return now, nil
	}
	trees := [3]any{}
	for i, data := range [][]byte{now, known, k.read} {
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber() // a fence may be more than a float64 counts
		if err := decoder.Decode(&trees[i]); err != nil {
			return nil, err
		}
	}
	if !restore(trees[0], trees[1], trees[2]) {
		return now, nil
	}
	return json.Marshal(trees[0])
}

// identity are the fields by which two objects are about the same thing: a field of another release's lock is none of this one's.
var identity = []string{"release", "execution", "taskToken", "id", "at"}

// restore puts what is in read and not in known, which is what this version makes of it, into now where that is still about the
// same thing. It tells whether there was anything.
func restore(now, known, read any) (found bool) {
	switch now := now.(type) {
	case map[string]any:
		known, _ := known.(map[string]any)
		read, ok := read.(map[string]any)
		if !ok || known == nil || !alike(now, known) {
			return false
		}
		for key, value := range read {
			if was, knows := known[key]; knows {
				found = restore(now[key], was, value) || found
			} else if _, there := now[key]; !there {
				now[key], found = value, true
			}
		}
	case []any:
		known, _ := known.([]any)
		read, _ := read.([]any)
		for _, element := range now {
			i := slices.IndexFunc(known, func(was any) bool { return alike(element, was) })
			if i >= 0 && i < len(read) {
				found = restore(element, known[i], read[i]) || found
			}
		}
	}
	return found
}

func alike(x, y any) bool {
	one, ok := x.(map[string]any)
	other, both := y.(map[string]any)
	return ok && both && !slices.ContainsFunc(identity, func(key string) bool { return !reflect.DeepEqual(one[key], other[key]) })
}
