package metrics

import (
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"lockstep/infra/local/cloud/wire"
)

// protocol is an encoding of calls and answers. aws-sdk-go-v2 uses RPC v2 CBOR, older versions of
// the aws CLI use Query, and newer ones may use JSON.
type protocol struct {
	contentType string
	read        func(body []byte) (any, error)
	write       func(operation string, result any) []byte
	refuse      func(refusal *wire.Error) []byte
}

const maxBody = 4 << 20

// shapes maps the error codes of Query to the names that CBOR and JSON use.
var shapes = map[string]string{
	"InvalidFormat":               "InvalidFormatFault",
	"InvalidParameterCombination": "InvalidParameterCombinationException",
	"InvalidParameterValue":       "InvalidParameterValueException",
	"MissingParameter":            "MissingRequiredParameterException",
}

func shapeOf(code string) string { return cmp.Or(shapes[code], code) }

// protocolOf returns the protocol and the operation of a call.
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

// readBody reads the body. SDKs compress large PutMetricData calls.
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
		data, _ := json.Marshal(map[string]string{
			"__type":  shapeOf(refusal.Code),
			"message": refusal.Message, "Message": refusal.Message,
		})

		return data
	},
}

// epochs converts the times in a tree to seconds since 1970, as AWS JSON has them.
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

// answer writes a result or a refusal. A header has the error code of the Query protocol in all
// protocols.
func (p protocol) answer(w http.ResponseWriter, operation string, result any, err error) {
	w.Header().Set("Content-Type", p.contentType)

	if p.contentType == cborProtocol.contentType {
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	}

	if err == nil {
		_, _ = w.Write(p.write(operation, result))
		return
	}

	refusal := &wire.Error{
		Status: http.StatusInternalServerError, Code: "InternalServiceFault", Message: err.Error(),
	}
	errors.As(err, &refusal)
	w.Header().Set("X-Amzn-Query-Error", refusal.Code+";Sender")
	w.WriteHeader(refusal.Status)
	_, _ = w.Write(p.refuse(refusal))
}
