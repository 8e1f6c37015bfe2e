package asl

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
)

// decode reads exactly one JSON value, and keeps its numbers as they are written.
func decode(data json.RawMessage) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()

	var value any
	if err := d.Decode(&value); err != nil {
		return nil, err
	}

	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("found more after the JSON value")
	}

	return value, nil
}

// encode writes a value that decode or a template made. Such a value always has a JSON form.
func encode(value any) json.RawMessage {
	var b bytes.Buffer

	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(value)

	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func number(n int) json.Number { return json.Number(strconv.Itoa(n)) }

// whole is the value as an integer from 0 to maxSeconds; 10.0 is one.
func whole(value any) (int64, bool) {
	n, ok := value.(json.Number)
	if !ok {
		return 0, false
	}

	f, err := n.Float64()
	if err != nil || f < 0 || f > maxSeconds || f != math.Trunc(f) {
		return 0, false
	}

	return int64(f), true
}
