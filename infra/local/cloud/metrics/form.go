package metrics

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"lockstep/infra/local/cloud/wire"
)

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
		fmt.Fprintf(&b, "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>",
			uuid.NewString(), operation)

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

// fromForm makes a tree from names like MetricData.member.1.Value.
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
		keys := slices.SortedFunc(maps.Keys(numbered),
			func(a, b string) int { return cmp.Compare(number(a), number(b)) })

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
