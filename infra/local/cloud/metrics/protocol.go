package metrics

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
	"github.com/google/uuid"

	"lockstep/infra/local/cloud/wire"
)

// protocol is one way to write calls and answers: RPC v2 CBOR is what aws-sdk-go-v2 speaks, Query what the
// aws CLI spoke for years, JSON what both may choose.
type protocol struct {
	contentType string
	read        func(body []byte) (any, error)
	write       func(operation string, result any) []byte
	refuse      func(refusal *wire.Error) []byte
}

const maxBody = 4 << 20

// shapes are the names by which CBOR and JSON call what has another name in Query.
var shapes = map[string]string{
	"InvalidFormat":               "InvalidFormatFault",
	"InvalidParameterCombination": "InvalidParameterCombinationException",
	"InvalidParameterValue":       "InvalidParameterValueException",
	"MissingParameter":            "MissingRequiredParameterException",
}

func shapeOf(code string) string { return cmp.Or(shapes[code], code) }

// protocolOf tells how a call is written, and which operation it calls.
func protocolOf(r *http.Request, body []byte) (protocol, string) {
	if r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor" {
		return cborProtocol, r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	}
	if r.Header.Get("X-Amz-Target") != "" {
		return jsonProtocol, wire.Operation(r)
	}
	form, _ := url.ParseQuery(string(body))
	return queryProtocol, form.Get("Action")
}

// readBody undoes the compression that SDKs apply to large PutMetricData calls.
func readBody(r *http.Request) ([]byte, error) {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, refuse("MalformedInput", "body: %v", err)
		}
		body = unzipped
	}
	data, err := io.ReadAll(io.LimitReader(body, maxBody))
	if err != nil {
		return nil, refuse("MalformedInput", "body: %v", err)
	}
	return data, nil
}

var cborProtocol = protocol{
	contentType: "application/cbor",
	read: func(body []byte) (any, error) {
		if len(body) == 0 {
			return map[string]any{}, nil
		}
		value, err := cbor.Decode(body)
		if err != nil {
			return nil, err
		}
		return fromCBOR(value)
	},
	write: func(_ string, result any) []byte { return cbor.Encode(toCBOR(result)) },
	refuse: func(refusal *wire.Error) []byte {
		return cbor.Encode(cbor.Map{"__type": cbor.String(shapeOf(refusal.Code)), "message": cbor.String(refusal.Message), "Message": cbor.String(refusal.Message)})
	},
}

func fromCBOR(value cbor.Value) (any, error) {
	switch value := value.(type) {
	case cbor.Map:
		members := make(map[string]any, len(value))
		for name, member := range value {
			one, err := fromCBOR(member)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			members[name] = one
		}
		return members, nil
	case cbor.List:
		list := make([]any, len(value))
		for i, element := range value {
			one, err := fromCBOR(element)
			if err != nil {
				return nil, err
			}
			list[i] = one
		}
		return list, nil
	case cbor.String:
		return string(value), nil
	case cbor.Bool:
		return bool(value), nil
	case cbor.Uint, cbor.NegInt:
		return cbor.AsInt64(value)
	case cbor.Float32, cbor.Float64:
		return cbor.AsFloat64(value)
	case *cbor.Tag:
		return cbor.AsTime(value)
	case *cbor.Nil, *cbor.Undefined:
		return nil, nil
	}
	return nil, fmt.Errorf("found a CBOR %T", value)
}

func toCBOR(value any) cbor.Value {
	switch value := value.(type) {
	case map[string]any:
		members := make(cbor.Map, len(value))
		for name, member := range value {
			members[name] = toCBOR(member)
		}
		return members
	case []any:
		list := make(cbor.List, len(value))
		for i, element := range value {
			list[i] = toCBOR(element)
		}
		return list
	case string:
		return cbor.String(value)
	case bool:
		return cbor.Bool(value)
	case int64:
		if value < 0 {
			return cbor.NegInt(-value)
		}
		return cbor.Uint(value)
	case float64:
		return cbor.Float64(value)
	case time.Time:
		return &cbor.Tag{ID: 1, Value: cbor.Float64(epoch(value))}
	}
	return &cbor.Nil{}
}

func epoch(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }

var jsonProtocol = protocol{
	contentType: "application/x-amz-json-1.0",
	read: func(body []byte) (any, error) {
		var value any = map[string]any{}
		if len(body) == 0 {
			return value, nil
		}
		err := json.Unmarshal(body, &value)
		return value, err
	},
	write: func(_ string, result any) []byte {
		data, _ := json.Marshal(epochs(result))
		return data
	},
	refuse: func(refusal *wire.Error) []byte {
		data, _ := json.Marshal(map[string]string{"__type": shapeOf(refusal.Code), "message": refusal.Message, "Message": refusal.Message})
		return data
	},
}

// epochs writes the times of a tree as AWS JSON has them.
func epochs(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			value[name] = epochs(member)
		}
	case []any:
		for i, element := range value {
			value[i] = epochs(element)
		}
	case time.Time:
		return epoch(value)
	}
	return value
}

var queryProtocol = protocol{
	contentType: "text/xml",
	read: func(body []byte) (any, error) {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, err
		}
		return fromForm(form), nil
	},
	write: func(operation string, result any) []byte {
		var b bytes.Buffer
		fmt.Fprintf(&b, `<%sResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/">`, operation)
		writeXML(&b, operation+"Result", result)
		fmt.Fprintf(&b, "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>", uuid.NewString(), operation)
		return b.Bytes()
	},
	refuse: func(refusal *wire.Error) []byte {
		side := "Sender"
		if refusal.Status >= 500 {
			side = "Receiver"
		}
		var b bytes.Buffer
		writeXML(&b, "ErrorResponse", map[string]any{
			"Error":     map[string]any{"Type": side, "Code": refusal.Code, "Message": refusal.Message},
			"RequestId": uuid.NewString(),
		})
		return b.Bytes()
	},
}

// fromForm makes a tree of names like MetricData.member.1.Value.
func fromForm(form url.Values) any {
	root := map[string]any{}
	for name, values := range form {
		at, steps := root, strings.Split(name, ".")
		for _, step := range steps[:len(steps)-1] {
			next, ok := at[step].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[step] = next
			}
			at = next
		}
		if last := steps[len(steps)-1]; at[last] == nil {
			at[last] = values[0]
		}
	}
	return members(root)
}

// members turns {"member": {"1": ..., "2": ...}} into lists.
func members(value any) any {
	object, ok := value.(map[string]any)
	if !ok {
		return value
	}
	if numbered, ok := object["member"].(map[string]any); ok && len(object) == 1 {
		number := func(key string) int { n, _ := strconv.Atoi(key); return n }
		keys := slices.SortedFunc(maps.Keys(numbered), func(a, b string) int { return cmp.Compare(number(a), number(b)) })
		list := make([]any, len(keys))
		for i, key := range keys {
			list[i] = members(numbered[key])
		}
		return list
	}
	for name, member := range object {
		object[name] = members(member)
	}
	return object
}

func writeXML(b *bytes.Buffer, name string, value any) {
	fmt.Fprintf(b, "<%s>", name)
	switch value := value.(type) {
	case map[string]any:
		for _, member := range slices.Sorted(maps.Keys(value)) {
			writeXML(b, member, value[member])
		}
	case []any:
		for _, element := range value {
			writeXML(b, "member", element)
		}
	case time.Time:
		b.WriteString(value.UTC().Format("2006-01-02T15:04:05.000Z"))
	case float64:
		b.WriteString(strconv.FormatFloat(value, 'f', -1, 64))
	default:
		_ = xml.EscapeText(b, fmt.Append(nil, value))
	}
	fmt.Fprintf(b, "</%s>", name)
}

// answer writes a result or a refusal. Clients that know the Query protocol's error names get those from
// a header, whichever protocol they speak.
func (p protocol) answer(w http.ResponseWriter, operation string, result any, err error) {
	w.Header().Set("Content-Type", p.contentType)
	if p.contentType == cborProtocol.contentType {
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	}
	if err == nil {
		_, _ = w.Write(p.write(operation, result))
		return
	}
	refusal := &wire.Error{Status: http.StatusInternalServerError, Code: "InternalServiceFault", Message: err.Error()}
	errors.As(err, &refusal)
	w.Header().Set("X-Amzn-Query-Error", refusal.Code+";Sender")
	w.WriteHeader(refusal.Status)
	_, _ = w.Write(p.refuse(refusal))
}
