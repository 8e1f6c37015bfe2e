package asl

import (
	"context"
	"time"
)

// wait waits for some seconds, or until a time.
type wait struct {
	node
	seconds     *int64
	until       *time.Time
	secondsPath *path
	untilPath   *path
}

func parseWait(o *object, n node) state {
	w := &wait{node: n}
	w.paths(o)
	w.transition(o)
	o.oneOf(false, "Seconds", "SecondsPath", "Timestamp", "TimestampPath")

	if _, ok := o.fields["Seconds"]; ok {
		seconds := o.integer("Seconds", 0, maxSeconds, 0)
		w.seconds = &seconds
	}

	if text, ok := o.text("Timestamp"); ok {
		until, good := asTime(text)
		if !good {
			o.refuse("Timestamp", "found %q, expected a timestamp like \"2026-01-31T12:00:00Z\"", text)
		}

		w.until = &until
	}

	w.secondsPath, w.untilPath = o.path("SecondsPath", parsePath), o.path("TimestampPath", parsePath)

	return w
}

func (w *wait) run(ctx context.Context, r *run, input any) (any, string, error) {
	r.enter(&w.node, input)
	s := r.scope(&w.node, input, 0, "")

	var err error
	if s.input, err = w.narrow("InputPath", w.input, s); err != nil {
		return nil, "", r.fault(&w.node, err)
	}

	until, err := w.end(s, r.since)
	if err != nil {
		return nil, "", r.fault(&w.node, err)
	}

	r.sleep(ctx, until)

	if ctx.Err() != nil {
		return nil, "", context.Cause(ctx)
	}

	output, err := w.narrow("OutputPath", w.output, s)
	if err != nil {
		return nil, "", r.fault(&w.node, err)
	}

	return output, w.next, r.exit(&w.node, output)
}

// end is when the wait ends that began at since.
func (w *wait) end(s scope, since time.Time) (time.Time, error) {
	switch {
	case w.seconds != nil:
		return since.Add(time.Duration(*w.seconds) * time.Second), nil
	case w.until != nil:
		return *w.until, nil
	case w.secondsPath != nil:
		value, _ := w.secondsPath.get(s)

		seconds, ok := whole(value)
		if !ok {
			return since, runtimeError("The SecondsPath '%s' found %s, expected a whole number from 0 to %d",
				w.secondsPath.text, encode(value), maxSeconds)
		}

		return since.Add(time.Duration(seconds) * time.Second), nil
	}

	value, _ := w.untilPath.get(s)

	until, ok := asTime(value)
	if !ok {
		return since, runtimeError("The TimestampPath '%s' found %s, expected a timestamp",
			w.untilPath.text, encode(value))
	}

	return until, nil
}
