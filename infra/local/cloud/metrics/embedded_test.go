package metrics

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
)

func TestEmbedded(t *testing.T) {
	var (
		out bytes.Buffer
		got []string
	)

	log := Embedded(&out, func(namespace, metric string, dimensions map[string]string, value float64,
		unit string) {
		got = append(got, fmt.Sprint(namespace, " ", metric, " ", dimensions, " ", value, " ", unit))
	})

	written := "started\n" +
		`{"_aws":{"Timestamp":1,"CloudWatchMetrics":[{"Namespace":"Shop","Dimensions":[["Stage"],[]],"Metrics":[{"Name":"Orders","Unit":"Count"},{"Name":"Missing"}]}]},"Stage":"api-b","Orders":2}` + "\n" +
		`{"level":"info","Orders":3}` + "\n{not JSON}\n" +
		`{"_aws":{"CloudWatchMetrics":[{"Namespace":"Shop","Dimensions":[["Stage"]],"Metrics":[{"Name":"Orders"}]}]},"Stage":"api-a","Orders":"many"}` + "\n"
	for i := 0; i < len(written); i += 7 { // as a pipe may cut it
		if _, err := log.Write([]byte(written[i:min(i+7, len(written))])); err != nil {
			t.Fatal(err)
		}
	}

	if want := []string{"Shop Orders map[Stage:api-b] 2 Count",
		"Shop Orders map[] 2 Count"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}

	if out.String() != written {
		t.Errorf("the log has\n%s", out.String())
	}
}
