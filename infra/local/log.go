package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"

	"lockstep/infra/config"
	"lockstep/infra/local/cloud/metrics"
	sm "lockstep/statemachine"
)

// functionLog is the writer of a function's standard output and error. All of it goes to the file;
// what is in the embedded metric format becomes metrics too. With --verbose the lines of Lockstep's
// own Lambdas go to the terminal as well.
func (l *local) functionLog(file io.Writer, function string) io.Writer {
	log := metrics.Embedded(file, l.metric)
	if !l.options.verbose || !l.isStep(function) {
		return log
	}

	return io.MultiWriter(log, &verboseLog{function: function, out: l.story.out})
}

// isStep tells Lockstep's Lambdas from the application's functions.
func (l *local) isStep(function string) bool {
	return slices.ContainsFunc(sm.Functions(), func(task sm.Task) bool {
		return config.LambdaName(l.config.App, task) == function
	})
}

// metric records a metric that a function wrote into its log.
func (l *local) metric(namespace, name string, dimensions map[string]string, value float64,
	unit string,
) {
	if l.gate.front.Load() != nil { // before, no call can have caused it
		l.stack.Cloud.Metrics.Put(namespace, name, dimensions, value, unit)
	}
}

// verboseLog prints the log of a Lambda a whole line at a time, each with its level and the
// Lambda's name in front.
type verboseLog struct {
	function string
	out      io.Writer

	mu   sync.Mutex
	rest []byte // of a line that has not ended yet
}

// Write prints the lines that end in data, each with a single write.
func (v *verboseLog) Write(data []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()

	lines := append(v.rest, data...)
	for {
		line, rest, ended := bytes.Cut(lines, []byte("\n"))
		if !ended {
			break
		}

		if _, err := fmt.Fprintf(v.out, "%-5s %s: %s\n", levelOf(line), v.function, line); err != nil {
			return 0, fmt.Errorf("print the log of %s: %w", v.function, err)
		}

		lines = rest
	}

	v.rest = bytes.Clone(lines)

	return len(data), nil
}

// levelOf is the level of a line of JSON. Any other line, like that of a panic, has none.
func levelOf(line []byte) string {
	var entry struct {
		Level string `json:"level"`
	}
	if json.Unmarshal(line, &entry) != nil || entry.Level == "" {
		return "-"
	}

	return entry.Level
}
