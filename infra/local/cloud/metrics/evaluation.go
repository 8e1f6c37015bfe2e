package metrics

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// How an alarm treats periods without data.
const (
	missing      = "missing"
	ignore       = "ignore"
	breaching    = "breaching"
	notBreaching = "notBreaching"
)

// lookBack is by how many periods the evaluation range is longer than EvaluationPeriods. AWS does
// not document it; the examples in its user guide have a range of five periods for three.
const lookBack = 2

func (a *alarm) treatment() string {
	if a.TreatMissingData == nil {
		return missing
	}

	return *a.TreatMissingData
}

func (a *alarm) needed() int {
	if a.DatapointsToAlarm == nil {
		return int(*a.EvaluationPeriods)
	}

	return int(*a.DatapointsToAlarm)
}

func (a *alarm) breaches(x float64) bool {
	switch a.ComparisonOperator {
	case types.ComparisonOperatorGreaterThanOrEqualToThreshold:
		return x >= *a.Threshold
	case types.ComparisonOperatorGreaterThanThreshold:
		return x > *a.Threshold
	case types.ComparisonOperatorLessThanThreshold:
		return x < *a.Threshold
	}

	return x <= *a.Threshold
}

// decide follows "How alarm state is evaluated when data is missing" of the CloudWatch user guide:
// it uses real data first, and treats missing data as configured only if there is too little real
// data. keep says that the alarm keeps its state.
func (a *alarm) decide(data []float64) (state types.StateValue, keep bool) {
	periods := int(*a.EvaluationPeriods)
	real := recent(data, len(data))

	bad := a.countBreaching(recent(data, periods))
	if len(real) == 0 {
		return a.decideWithoutData()
	}

	unknown := max(periods-len(real), 0)
	if a.treatment() == breaching {
		bad += unknown
	}

	switch {
	case bad >= a.needed():
		return types.StateValueAlarm, false
	case unknown > 0 && a.premature(data) && a.treatment() == missing:
		return types.StateValueAlarm, false
	case unknown > 0 && a.premature(data) && a.treatment() == ignore:
		return "", true
	}

	return types.StateValueOk, false
}

func (a *alarm) decideWithoutData() (types.StateValue, bool) {
	switch a.treatment() {
	case breaching:
		return types.StateValueAlarm, false
	case notBreaching:
		return types.StateValueOk, false
	case ignore:
		return "", true
	}

	return types.StateValueInsufficientData, false
}

// premature tells whether all existing data breaches and its oldest point is DatapointsToAlarm
// periods old. CloudWatch then does not wait for the missing data.
func (a *alarm) premature(data []float64) bool {
	real := recent(data, len(data))

	oldest := 0
	for oldest < len(data) && math.IsNaN(data[oldest]) {
		oldest++
	}

	return a.countBreaching(real) == len(real) && len(data)-oldest >= a.needed()
}

func (a *alarm) countBreaching(data []float64) (n int) {
	for _, x := range data {
		if a.breaches(x) {
			n++
		}
	}

	return n
}

// recent returns the last n existing data points, oldest first.
func recent(data []float64, n int) []float64 {
	var real []float64

	for _, x := range data {
		if !math.IsNaN(x) {
			real = append(real, x)
		}
	}

	return real[max(len(real)-n, 0):]
}

var inWords = map[types.ComparisonOperator]string{
	types.ComparisonOperatorGreaterThanOrEqualToThreshold: "greater than or equal to",
	types.ComparisonOperatorGreaterThanThreshold:          "greater than",
	types.ComparisonOperatorLessThanThreshold:             "less than",
	types.ComparisonOperatorLessThanOrEqualToThreshold:    "less than or equal to",
}

// reason is the reason of a state change, in the words of CloudWatch.
func (a *alarm) reason(to types.StateValue, data []float64, end int64) string {
	periods := int(*a.EvaluationPeriods)

	real := recent(data, periods)
	if to == types.StateValueInsufficientData {
		return fmt.Sprintf("Insufficient Data: %s unknown.",
			plural(periods, "datapoint was", "datapoints were"))
	}

	if len(real) == 0 {
		treated := map[string]string{breaching: "Breaching", notBreaching: "NonBreaching"}[a.treatment()]

		return fmt.Sprintf(
			"Threshold Crossed: no datapoints were received for %s and %s treated as [%s].",
			plural(periods, "period", "periods"),
			plural(periods, "missing datapoint was", "missing datapoints were"),
			treated)
	}

	was, not, count := "was", "", a.countBreaching(real)
	if to == types.StateValueOk {
		not, count = "not ", len(real)-count
	}

	if count != 1 {
		was = "were"
	}

	var listed []string
	for i := len(data) - 1; i >= 0 && len(listed) < count; i-- {
		if !math.IsNaN(data[i]) && a.breaches(data[i]) == (to == types.StateValueAlarm) {
			at := time.Unix(end-int64(len(data)-i)*a.period, 0).UTC()
			text := fmt.Sprintf("%s (%s)", decimal(data[i]), at.Format("02/01/06 15:04:05"))
			listed = append(listed, text)
		}
	}

	change := "OK -> ALARM"

	minimum := a.needed()
	if to == types.StateValueOk {
		change, minimum = "ALARM -> OK", periods-a.needed()+1
	}

	return fmt.Sprintf("Threshold Crossed: %d out of the last %d datapoints [%s] "+
		"%s %s%s the threshold (%s) (minimum %s for %s transition).",
		count, periods, strings.Join(listed, ", "),
		was, not, inWords[a.ComparisonOperator], decimal(*a.Threshold),
		plural(minimum, "datapoint", "datapoints"), change)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}

	return strconv.Itoa(n) + " " + many
}

// decimal writes 50 as 50.0, as CloudWatch does.
func decimal(x float64) string {
	text := strconv.FormatFloat(x, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}

	return text
}

// stamp formats a time as reasons and events have it.
func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000-0700") }

// reasonData is the reason of a state change as JSON.
func (a *alarm) reasonData(data []float64, end int64, now time.Time) string {
	counted := recent(data, int(*a.EvaluationPeriods))
	facts := map[string]any{
		"version": "1.0", "queryDate": stamp(now), "period": a.period, "threshold": *a.Threshold,
		"recentDatapoints": append([]float64{}, counted...),
	}

	evaluated := []map[string]any{} // newest first
	for i := len(data) - 1; len(evaluated) < len(counted); i-- {
		if !math.IsNaN(data[i]) {
			at := stamp(time.Unix(end-int64(len(data)-i)*a.period, 0))
			facts["startDate"] = at
			evaluated = append(evaluated, map[string]any{"timestamp": at, "value": data[i]})
		}
	}

	facts["evaluatedDatapoints"] = evaluated
	if stat := a.queries[a.watched].MetricStat; stat != nil {
		facts["statistic"] = *stat.Stat
	}

	text, _ := json.Marshal(facts)

	return string(text)
}
