package statemachine

import "log/slog"

// What a log line says of an input and of an answer: ids and what came of the call, and nothing
// that is secret. Task tokens, preview secrets and the inputs of executions are left out.

// LogValue is which release, execution and attempt the call is about.
func (d Document) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("release", d.Release), slog.String("execution", d.Execution),
		slog.Int64("fence", d.Fence), slog.Int("attempt", d.Attempt.Retry+1),
	}

	if d.Weight > 0 {
		attrs = append(attrs, slog.Int("weight", d.Weight))
	}

	if d.Next != "" {
		attrs = append(attrs, slog.String("next", string(d.Next)))
	}

	if d.Verdict != "" {
		attrs = append(attrs, slog.String("verdict", string(d.Verdict)))
	}

	if d.Outcome != "" {
		attrs = append(attrs, slog.String("outcome", string(d.Outcome)))
	}

	if d.Failure != nil {
		attrs = append(attrs, slog.String("failure", d.Failure.Error))
	}

	return slog.GroupValue(attrs...)
}

// LogValue is that of the document, with the attempt that it came with.
func (in StepInput) LogValue() slog.Value {
	in.Document.Attempt = in.Attempt

	return in.Document.LogValue()
}

// LogValue is that of the document, with the attempt that it came with.
func (in RampInput) LogValue() slog.Value {
	in.Document.Attempt = in.Attempt

	return in.Document.LogValue()
}

// LogValue is the execution and the attempt: the event may hold anything.
func (in BeginInput) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("execution", in.Execution), slog.Int("attempt", in.Retry+1))
}

// LogValue is what was found, by number.
func (d Diagnosis) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("underWay", d.UnderWay), slog.Int("findings", len(d.Findings)))
}
