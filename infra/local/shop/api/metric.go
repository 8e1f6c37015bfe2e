package api

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// Counted is a handle whose successes are a business metric, by the stage that was called: so a
// release is compared by what the shop lives on, too, and not by its errors alone.
func Counted(metric string, handle Handle) Handle {
	return func(ctx context.Context, db DB, body string) (any, error) {
		result, err := handle(ctx, db, body)
		if err == nil {
			fmt.Fprintf(os.Stdout, "%s\n", embedded(metric, stageOf(ctx), time.Now()))
		}

		return result, err
	}
}

// embedded is a line of log in the embedded metric format, of which CloudWatch makes the metric:
// that takes no call and no permission.
func embedded(metric, stage string, at time.Time) []byte {
	line, err := json.Marshal(map[string]any{
		"_aws": map[string]any{"Timestamp": at.UnixMilli(), "CloudWatchMetrics": []any{map[string]any{
			"Namespace": "Shop", "Dimensions": [][]string{{"Stage"}}, "Metrics": []any{map[string]string{"Name": metric, "Unit": "Count"}}}}},
		"Stage": stage, metric: 1,
	})
	if err != nil {
		panic(err) // strings and numbers can be written
	}

	return line
}

type stageKey struct{}

func atStage(ctx context.Context, stage string) context.Context {
	return context.WithValue(ctx, stageKey{}, stage)
}

func stageOf(ctx context.Context) string {
	stage, _ := ctx.Value(stageKey{}).(string)
	return stage
}
