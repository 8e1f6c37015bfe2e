package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/ohler55/ojg/jp"

	"lockstep/infra/local/cloud/events/delivery"
	"lockstep/infra/local/cloud/wire"
)

// Target receives the events of a rule: the whole event, or the input that is made of it.
type Target struct {
	ID               string            `json:"Id"`
	ARN              string            `json:"Arn"`
	RoleARN          string            `json:"RoleArn,omitempty"`
	Input            string            `json:",omitempty"`
	InputPath        string            `json:",omitempty"`
	InputTransformer *InputTransformer `json:",omitempty"`
	RetryPolicy      *delivery.Policy  `json:",omitempty"`
	DeadLetterConfig *DeadLetterConfig `json:",omitempty"`
}

// InputTransformer makes an input from a template and values of the event.
type InputTransformer struct {
	InputPathsMap map[string]string `json:",omitempty"`
	InputTemplate string
}

// DeadLetterConfig names the queue for events that could not be delivered.
type DeadLetterConfig struct {
	ARN string `json:"Arn"`
}

func (t *Target) check() error {
	refuse := func(format string, args ...any) error {
		message := fmt.Sprintf("Target %s: ", t.ID) + fmt.Sprintf(format, args...)
		return wire.Refuse("ValidationException", message)
	}

	inputs := 0

	for _, given := range []bool{t.Input != "", t.InputPath != "", t.InputTransformer != nil} {
		if given {
			inputs++
		}
	}

	switch {
	case t.ID == "" || t.ARN == "":
		return refuse("Id and Arn are required.")
	case strings.Contains(t.ARN, ":states:") && t.RoleARN == "":
		return refuse("RoleArn is required for target %s.", t.ARN)
	case inputs > 1:
		return refuse("Only one of Input, InputPath, or InputTransformer must be provided.")
	case t.Input != "" && !json.Valid([]byte(t.Input)):
		return refuse("JSON syntax error in input.")
	}

	if err := t.RetryPolicy.Check(); err != nil {
		return refuse("RetryPolicy: %v", err)
	}

	paths := map[string]string{"InputPath": t.InputPath}
	if t.InputTransformer != nil {
		paths = t.InputTransformer.InputPathsMap
	}

	for name, path := range paths {
		if _, err := jsonPath(path); err != nil {
			return refuse("Invalid JSON path %q of %s: %v", path, name, err)
		}
	}

	if t.InputTransformer != nil {
		for _, name := range placeholder.FindAllStringSubmatch(t.InputTransformer.InputTemplate, -1) {
			if _, ok := paths[name[1]]; !ok && !strings.HasPrefix(name[1], "aws.events.") {
				return refuse("Invalid InputTemplate: <%s> is not in InputPathsMap.", name[1])
			}
		}
	}

	return nil
}

// unquoted is a name with hyphens after a dot. EventBridge accepts it, but JSONPath only accepts
// it in brackets.
var unquoted = regexp.MustCompile(`\.([A-Za-z0-9_]+(?:-[A-Za-z0-9_-]+)+)`)

func jsonPath(path string) (jp.Expr, error) {
	if path == "" {
		path = "$"
	}

	if !strings.HasPrefix(path, "$") {
		return nil, errors.New("expected it to begin with '$'")
	}

	return jp.ParseString(unquoted.ReplaceAllString(path, "['$1']"))
}

// input is what the target receives for an event.
func (t *Target) input(rule *Rule, data []byte, event map[string]any) []byte {
	switch {
	case t.Input != "":
		return []byte(t.Input)
	case t.InputPath != "":
		value, _ := lookUp(event, t.InputPath)
		return encode(value)
	case t.InputTransformer != nil:
		return t.InputTransformer.apply(rule, data, event)
	}

	return data
}

func lookUp(event map[string]any, path string) (any, bool) {
	expression, err := jsonPath(path)
	if err != nil {
		return nil, false
	}

	return expression.FirstFound(event)
}

func encode(value any) []byte {
	var b bytes.Buffer

	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(value)

	return bytes.TrimSpace(b.Bytes())
}

var placeholder = regexp.MustCompile(`<([A-Za-z0-9_.-]+)>`)

// apply fills in the template. A placeholder inside quotes becomes text, any other becomes JSON. A
// value that the event does not have is empty.
func (t *InputTransformer) apply(rule *Rule, data []byte, event map[string]any) []byte {
	template, out := t.InputTemplate, strings.Builder{}

	end := 0
	for _, at := range placeholder.FindAllStringSubmatchIndex(template, -1) {
		out.WriteString(template[end:at[0]])

		value := t.value(template[at[2]:at[3]], rule, data, event)
		if quoted(template[:at[0]]) {
			text, isText := value.(string)
			if !isText {
				text = string(encode(value))
			}

			inner := encode(text)
			out.Write(inner[1 : len(inner)-1])
		} else {
			out.Write(encode(value))
		}

		end = at[1]
	}

	out.WriteString(template[end:])

	return []byte(out.String())
}

func (t *InputTransformer) value(name string, rule *Rule, data []byte, event map[string]any) any {
	switch name {
	case "aws.events.rule-arn":
		return rule.ARN()
	case "aws.events.rule-name":
		return rule.Name
	case "aws.events.event.ingestion-time":
		return time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	case "aws.events.event", "aws.events.event.json":
		return json.RawMessage(data)
	}

	if value, ok := lookUp(event, t.InputPathsMap[name]); ok {
		return value
	}

	return ""
}

// quoted tells whether a position in a template is inside a JSON string.
func quoted(before string) bool {
	inside := false

	for i := 0; i < len(before); i++ {
		switch before[i] {
		case '\\':
			i++
		case '"':
			inside = !inside
		}
	}

	return inside
}
