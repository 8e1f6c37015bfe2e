package ledger

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
)

// preserved is an object of the ledger together with the fields that this version of Lockstep does
// not know. A release under way keeps the steps that it began with, while Signal, Recover and
// whoever waits in the queue may be newer: what those wrote survives a write of an older one.
type preserved[T any] struct {
	value T
	read  []byte
}

// UnmarshalJSON keeps the text beside the value.
func (p *preserved[T]) UnmarshalJSON(data []byte) error {
	p.read = bytes.Clone(data)

	return json.Unmarshal(data, &p.value)
}

// MarshalJSON writes the value, and what of the text it did not know.
func (p preserved[T]) MarshalJSON() ([]byte, error) {
	now, err := json.Marshal(p.value)
	if err != nil || p.read == nil {
		return now, err
	}

	var before T
	if err := json.Unmarshal(p.read, &before); err != nil {
		return nil, err
	}

	known, err := json.Marshal(before)
	if err != nil {
		return nil, err
	}

	if bytes.Equal(known, p.read) { // this version wrote it
		return now, nil
	}

	trees := [3]any{}

	for i, data := range [][]byte{now, known, p.read} {
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber() // a fencing token may be more than a float64 counts

		if err := decoder.Decode(&trees[i]); err != nil {
			return nil, err
		}
	}

	if !restoreUnknown(trees[0], trees[1], trees[2]) {
		return now, nil
	}

	return json.Marshal(trees[0])
}

// identity are the fields by which two JSON objects are about the same thing: a field of another
// release's entry does not belong to this one's.
var identity = []string{"release", "execution", "taskToken", "id", "at"}

// restoreUnknown copies into now what is in read and not in known, which is what this version
// makes of it, where both are still about the same thing. It tells whether there was anything.
func restoreUnknown(now, known, read any) (found bool) {
	switch now := now.(type) {
	case map[string]any:
		known, _ := known.(map[string]any)

		read, ok := read.(map[string]any)
		if !ok || known == nil || !sameThing(now, known) {
			return false
		}

		for key, value := range read {
			if was, knows := known[key]; knows {
				found = restoreUnknown(now[key], was, value) || found
			} else if _, there := now[key]; !there {
				now[key], found = value, true
			}
		}
	case []any:
		known, _ := known.([]any)
		read, _ := read.([]any)

		for _, element := range now {
			i := slices.IndexFunc(known, func(was any) bool { return sameThing(element, was) })
			if i >= 0 && i < len(read) {
				found = restoreUnknown(element, known[i], read[i]) || found
			}
		}
	}

	return found
}

func sameThing(x, y any) bool {
	one, ok := x.(map[string]any)
	other, both := y.(map[string]any)

	return ok && both && !slices.ContainsFunc(identity, func(key string) bool {
		return !reflect.DeepEqual(one[key], other[key])
	})
}
