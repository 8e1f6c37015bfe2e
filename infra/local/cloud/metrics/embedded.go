package metrics

import (
	"bytes"
	"encoding/json"
	"io"
	"sync"
)

// Put records a value of a metric.
type Put = func(
	namespace, metric string, dimensions map[string]string, value float64, unit string,
)

// Embedded returns a writer for a log. It calls put for the metrics of lines in CloudWatch's
// embedded metric format: a line of JSON whose member _aws says which members are metrics and
// which are their dimensions. It passes everything on to out.
func Embedded(out io.Writer, put Put) io.Writer {
	return &embedded{out: out, put: put}
}

type embedded struct {
	out  io.Writer
	put  Put
	mu   sync.Mutex
	rest []byte // a line that has not ended yet
}

// longestLine is the limit of a log event, in bytes.
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

// line puts the metrics of a line. It ignores lines in other formats.
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
