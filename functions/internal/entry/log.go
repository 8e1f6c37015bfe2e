package entry

import (
	"context"
	"io"
	"log/slog"
	"os"
	"time"

	"lockstep/statemachine"
)

// levelVariable is the environment variable in which Lambda hands over the level of a function's
// JSON logs. https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
const levelVariable = "AWS_LAMBDA_LOG_LEVEL"

// NewLogger writes JSON, a line each, from the level on that Lambda names; INFO where it names
// none.
func NewLogger(out io.Writer) *slog.Logger {
	level := slog.LevelInfo
	_ = level.UnmarshalText([]byte(os.Getenv(levelVariable))) // TRACE and FATAL are not slog's

	return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level}))
}

// Logged is run with one line in the log for each call: what it was called with, what came of it,
// and how long it took. An error that the machine tries again is a warning.
func Logged[In, Out any](
	logger *slog.Logger, task statemachine.Task, run func(context.Context, In) (Out, error),
) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) {
		began := time.Now()
		out, err := run(ctx, in)

		attrs := []slog.Attr{
			slog.String("step", string(task)), slog.Any("call", in),
			slog.Duration("took", time.Since(began)),
		}
		level := slog.LevelInfo

		switch {
		case err == nil:
			attrs = append(attrs, slog.Any("result", out))
		case statemachine.Transient(err):
			level = slog.LevelWarn

			attrs = append(attrs, failed(err)...)
		default:
			level = slog.LevelError

			attrs = append(attrs, failed(err)...)
		}

		logger.LogAttrs(ctx, level, string(task)+" was called", attrs...)

		return out, err
	}
}

func failed(err error) []slog.Attr {
	failure := failure(err)

	return []slog.Attr{
		slog.String("error", failure.Type), slog.String("cause", failure.Message),
	}
}
