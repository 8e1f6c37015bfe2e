package metrics

import (
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

const maxQueries = 500

var idPattern = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`)

// querySet is a checked set of queries that may refer to each other.
type querySet map[string]*query

type query struct {
	types.MetricDataQuery
	key        string    // of the metric
	take       statistic // of the metric
	expression node
	period     int64 // in seconds
}

// newQuerySet checks and compiles queries. The period of an expression is that of its metrics.
func newQuerySet(list []types.MetricDataQuery) (querySet, error) {
	if len(list) == 0 || len(list) > maxQueries {
		return nil, invalid("Found %d queries, expected 1 to %d.", len(list), maxQueries)
	}

	set := querySet{}

	for _, one := range list {
		id := deref(one.Id)
		if set[id] != nil {
			return nil, invalid("The id %s is used twice.", id)
		}

		if !idPattern.MatchString(id) {
			return nil, invalid("The id %q must begin with a lower-case letter "+
				"and have only letters, digits and underscores.", id)
		}

		q, err := newQuery(one)
		if err != nil {
			return nil, err
		}

		set[id] = q
	}

	for _, id := range slices.Sorted(maps.Keys(set)) {
		if err := set.derivePeriod(id, nil); err != nil {
			return nil, err
		}
	}

	return set, nil
}

func newQuery(one types.MetricDataQuery) (*query, error) {
	q := &query{MetricDataQuery: one}

	id, stat := deref(one.Id), one.MetricStat
	switch {
	case (stat == nil) == (one.Expression == nil):
		return nil, invalid("Query %s: exactly one of MetricStat and Expression is required.", id)
	case one.Expression != nil:
		expression, err := parseExpression(*one.Expression)
		if err != nil {
			return nil, invalid("Error in expression '%s': %v", id, err)
		}

		q.expression = expression

		return q, nil
	case stat.Metric == nil || deref(stat.Metric.Namespace) == "" ||
		deref(stat.Metric.MetricName) == "":
		return nil, invalid("Query %s: MetricStat.Metric needs a Namespace and a MetricName.", id)
	}

	if err := checkPeriod(deref(stat.Period)); err != nil {
		return nil, err
	}

	take, err := parseStatistic(deref(stat.Stat))
	if err != nil {
		return nil, err
	}

	q.take, q.period = take, int64(*stat.Period)
	q.key = seriesKey(*stat.Metric.Namespace, *stat.Metric.MetricName,
		dimensionMap(stat.Metric.Dimensions))

	return q, nil
}

// derivePeriod sets the period of an expression. through has the ids of the expressions that refer
// to it.
func (set querySet) derivePeriod(id string, through []string) error {
	q := set[id]
	if q.expression == nil {
		return nil
	}

	if slices.Contains(through, id) {
		return invalid("Error in expression '%s': it refers to itself.", id)
	}

	q.period = 0
	for _, name := range q.expression.names() {
		other := set[name]
		if other == nil {
			return invalid("Error in expression '%s': '%s' is not the id of a query.", id, name)
		}

		if err := set.derivePeriod(name, append(through, id)); err != nil {
			return err
		}

		if q.period != 0 && q.period != other.period {
			return invalid("Error in expression '%s': "+
				"its metrics have the periods %d and %d, expected one.", id, q.period, other.period)
		}

		q.period = other.period
	}

	if q.period == 0 {
		return invalid("Error in expression '%s': it refers to no metric.", id)
	}

	return nil
}

// window is the time range of a query, in seconds since 1970, and its period in seconds.
type window struct{ from, to, period int64 }

// points are the values of a time series by the start of their period. A period without data has no
// value.
type points map[int64]float64

// run computes one query of a set; the caller holds the lock.
func (s *Service) run(set querySet, id string, w window) (value, error) {
	q := set[id]
	if q.expression != nil {
		return q.expression.eval(func(name string) (value, error) { return s.run(set, name, w) }, w)
	}

	data, line := s.find(q.key, string(q.MetricStat.Unit)), points{}

	seen := ceilUnix(time.Now().Add(time.Second - s.lag))
	for at := w.from; at < w.to; at += w.period {
		b := data.between(at, min(at+w.period, w.to, seen))
		if x, ok := q.take(&b); ok {
			line[at] = x
		}
	}

	return value{lines: []points{line}}, nil
}

func (s *Service) getMetricData(
	in *cloudwatch.GetMetricDataInput,
) (*cloudwatch.GetMetricDataOutput, error) {
	set, err := newQuerySet(in.MetricDataQueries)
	if err != nil {
		return nil, err
	}

	switch {
	case in.StartTime == nil || in.EndTime == nil:
		return nil, invalid("The parameters StartTime and EndTime are required.")
	case !in.StartTime.Before(*in.EndTime):
		return nil, invalid("The parameter StartTime must be less than the parameter EndTime.")
	case in.NextToken != nil:
		return nil, refuse("InvalidNextToken", "This stand-in returns all data in one page.")
	case in.ScanBy != "" && !slices.Contains(in.ScanBy.Values(), in.ScanBy):
		return nil, invalid("The parameter ScanBy is %s, expected one of %v.",
			in.ScanBy, in.ScanBy.Values())
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	out := &cloudwatch.GetMetricDataOutput{MetricDataResults: []types.MetricDataResult{}}

	for _, one := range in.MetricDataQueries {
		if one.ReturnData != nil && !*one.ReturnData {
			continue
		}

		q := set[*one.Id]
		w := window{alignStart(*in.StartTime, q.period), ceilUnix(*in.EndTime), q.period}

		result, err := s.run(set, *one.Id, w)
		if err != nil {
			return nil, invalid("Error in expression '%s': %v", *one.Id, err)
		}

		if len(result.lines) == 0 {
			return nil, invalid("Error in expression '%s': it must return a time series.", *one.Id)
		}

		for _, line := range result.lines {
			out.MetricDataResults = append(out.MetricDataResults, q.result(line, in.ScanBy))
		}
	}

	return out, nil
}

// alignStart rounds a start time down as CloudWatch does: to the minute, or to the period if that
// is shorter.
func alignStart(start time.Time, period int64) int64 {
	unix := start.Unix()
	return unix - unix%min(period, 60)
}

func (q *query) result(line points, order types.ScanBy) types.MetricDataResult {
	result := types.MetricDataResult{
		Id: q.Id, Label: q.Label, StatusCode: types.StatusCodeComplete,
		Timestamps: []time.Time{}, Values: []float64{},
	}

	switch {
	case q.Label != nil:
	case q.MetricStat != nil:
		result.Label = q.MetricStat.Metric.MetricName
	default:
		result.Label = q.Id
	}

	times := slices.Sorted(maps.Keys(line))
	if order != types.ScanByTimestampAscending {
		slices.Reverse(times)
	}

	for _, at := range times {
		result.Timestamps = append(result.Timestamps, time.Unix(at, 0).UTC())
		result.Values = append(result.Values, line[at])
	}

	return result
}
