package metrics

import (
	"bytes"
	"encoding/json"
	"io"
	"sync"
)

// Embedded is a log out of whose lines CloudWatch makes metrics, where they are in the embedded
// metric format: a line of JSON whose _aws says which of its members are metrics and which their
// dimensions. All goes on to out.
func Embedded(out io.Writer, put func(namespace, metric string, dimensions map[string]string,
	value float64, unit string)) io.Writer {
	return &embedded{out: out, put: put}
}

type embedded struct {
	out  io.Writer
	put  func(namespace, metric string, dimensions map[string]string, value float64, unit string)
	mu   sync.Mutex
	rest []byte // of a line that has not ended
}

// longestLine is what a log event may have.
const longestLine = 256 << 10

func (e *embedded) Write(data []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()

	lines := append(e.rest, data...)
	for {
		line, rest, ended := bytes.Cut(lines, []byte("\n"))
		if !ended {
			break
		}

		e.line(line)

		lines = rest
	}

	if e.rest = bytes.Clone(lines); len(e.rest) > longestLine {
		e.rest = nil
	}

	return e.out.Write(data)
}

// line makes metrics of a line; any other is only a log's.
func (e *embedded) line(line []byte) {
	var (
		document struct {
			AWS struct {
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
					Metrics    []struct{ Name, Unit string }
				}
			} `json:"_aws"`
		}
		members map[string]any
	)
	if !bytes.HasPrefix(line, []byte("{")) || json.Unmarshal(line, &document) != nil ||
		json.Unmarshal(line, &members) != nil {
		return
	}

	for _, directive := range document.AWS.CloudWatchMetrics {
		for _, names := range directive.Dimensions {
			dimensions := map[string]string{}
			for _, name := range names {
				dimensions[name], _ = members[name].(string)
			}

			for _, m := range directive.Metrics {
				if value, ok := members[m.Name].(float64); ok {
					e.put(directive.Namespace, m.Name, dimensions, value, m.Unit)
				}
			}
		}
	}
}
