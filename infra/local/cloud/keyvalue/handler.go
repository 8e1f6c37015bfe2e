package keyvalue

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"lockstep/infra/local/cloud/wire"
)

// ServeHTTP serves the REST calls of the data plane.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation, arn, key := parse(r)
	if operation == "" {
		wire.Answer(w, r, nil, wire.Refuse("UnknownOperationException",
			"this stand-in for CloudFront KeyValueStore does not implement "+r.Method+" "+r.URL.Path))

		return
	}

	body, err := io.ReadAll(r.Body)
	if err != nil {
		wire.Answer(w, r, nil, err)
		return
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	st, err := s.store(arn)

	var result any

	if err == nil {
		switch operation {
		case "DescribeKeyValueStore":
			result = st.describe(arn)
		case "GetKey":
			result, err = st.get(key)
		case "ListKeys":
			result, err = st.list(r.URL.Query())
		default:
			result, err = st.write(operation, key, r.Header.Get("If-Match"), body)
		}
	}

	if err == nil && operation != "GetKey" && operation != "ListKeys" {
		w.Header().Set("ETag", st.etag())
	}

	wire.Answer(w, r, result, err)
}

// Operation names the operation of a request.
func (s *Service) Operation(r *http.Request) string {
	operation, _, _ := parse(r)
	return operation
}

type shape struct {
	method string
	parts  int
}

var operations = map[shape]string{
	{http.MethodGet, 2}:    "DescribeKeyValueStore",
	{http.MethodGet, 3}:    "ListKeys",
	{http.MethodPost, 3}:   "UpdateKeys",
	{http.MethodGet, 4}:    "GetKey",
	{http.MethodPut, 4}:    "PutKey",
	{http.MethodDelete, 4}: "DeleteKey",
}

// parse reads /key-value-stores/{arn}[/keys[/{key}]]. ARN and key are escaped, since both may
// contain slashes.
func parse(r *http.Request) (operation, arn, key string) {
	parts := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	if len(parts) < 2 || parts[0] != "key-value-stores" || len(parts) > 2 && parts[2] != "keys" {
		return "", "", ""
	}

	arn, _ = url.PathUnescape(parts[1])
	key, _ = url.PathUnescape(parts[len(parts)-1])

	return operations[shape{r.Method, len(parts)}], arn, key
}

func (st *store) describe(arn string) any {
	return map[string]any{
		"KvsARN": arn, "Status": "READY", "ItemCount": len(st.Values), "TotalSizeInBytes": st.Size,
		"Created": seconds(st.Created), "LastModified": seconds(st.Modified),
	}
}

func (st *store) get(key string) (any, error) {
	value, ok := st.Values[key]
	if !ok {
		return nil, &wire.Error{
			Status: http.StatusNotFound, Code: "ResourceNotFoundException",
			Message: "Key not found: " + key,
		}
	}

	return map[string]any{
		"Key": key, "Value": value, "ItemCount": len(st.Values), "TotalSizeInBytes": st.Size,
	}, nil
}

// list returns a page of keys. The token is the last key of the page before.
func (st *store) list(query url.Values) (any, error) {
	limit := 10

	if value := query.Get("MaxResults"); value != "" {
		var err error
		if limit, err = strconv.Atoi(value); err != nil || limit < 1 || limit > 50 {
			return nil, invalid("MaxResults: found " + value + ", expected 1 to 50")
		}
	}

	page := struct {
		Items     []pair
		NextToken string `json:",omitempty"`
	}{Items: []pair{}}

	for _, key := range slices.Sorted(maps.Keys(st.Values)) {
		if key <= query.Get("NextToken") {
			continue
		}

		if len(page.Items) == limit {
			page.NextToken = page.Items[limit-1].Key
			break
		}

		page.Items = append(page.Items, pair{key, st.Values[key]})
	}

	return page, nil
}

// write checks every write against the version of the whole store. The message for a stale ETag was
// observed at the real service.
func (st *store) write(operation, key, ifMatch string, body []byte) (any, error) {
	if ifMatch == "" {
		return nil, invalid("If-Match: expected the store's ETag, which DescribeKeyValueStore returns")
	}

	if ifMatch != st.etag() {
		return nil, invalid("Pre-Condition failed during update of Key-Value-Store")
	}

	var in struct {
		Value   *string
		Puts    []pair
		Deletes []struct{ Key string }
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, wire.Refuse("SerializationException", err.Error())
		}
	}

	var deletes []string

	switch {
	case operation == "DeleteKey":
		deletes = []string{key}
	case operation == "PutKey" && in.Value == nil:
		return nil, invalid("Value: found none")
	case operation == "PutKey":
		in.Puts = []pair{{key, *in.Value}}
	case len(in.Puts)+len(in.Deletes) == 0 || len(in.Puts)+len(in.Deletes) > maxRequest:
		return nil, invalid("Puts, Deletes: expected 1 to 50 keys in all")
	}

	for _, d := range in.Deletes {
		deletes = append(deletes, d.Key)
	}

	if err := st.change(in.Puts, deletes, time.Now()); err != nil {
		return nil, err
	}

	return map[string]any{"ItemCount": len(st.Values), "TotalSizeInBytes": st.Size}, nil
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
