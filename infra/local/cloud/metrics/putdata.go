package metrics

import (
	"math"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

const (
	maxData       = 1000
	maxValues     = 150
	maxDimensions = 30
)

func (s *Service) putMetricData(
	in *cloudwatch.PutMetricDataInput,
) (*cloudwatch.PutMetricDataOutput, error) {
	namespace := deref(in.Namespace)
	switch {
	case namespace == "":
		return nil, refuse("MissingParameter", "The parameter Namespace is required.")
	case strings.HasPrefix(namespace, "AWS/"):
		return nil, refuse("InvalidParameterValue",
			"The value AWS/ for parameter Namespace is invalid: it is for AWS services.")
	case len(in.EntityMetricData) > 0:
		return nil, refuse("InvalidParameterValue", "This stand-in has no EntityMetricData.")
	case len(in.MetricData) == 0:
		return nil, refuse("MissingParameter", "The parameter MetricData is required.")
	case len(in.MetricData) > maxData:
		return nil, invalid("The collection MetricData must not have a size greater than %d.",
			maxData)
	}

	now := time.Now()
	for i, datum := range in.MetricData {
		if err := checkDatum(datum, now); err != nil {
			return nil, refuse("InvalidParameterValue", "MetricData.member.%d: %v", i+1, err)
		}
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	for _, datum := range in.MetricData {
		s.putDatum(namespace, datum, now)
	}

	return &cloudwatch.PutMetricDataOutput{}, nil
}

func checkDatum(d types.MetricDatum, now time.Time) error {
	kinds := 0

	for _, given := range []bool{d.Value != nil, len(d.Values) > 0, d.StatisticValues != nil} {
		if given {
			kinds++
		}
	}

	at := now
	if d.Timestamp != nil {
		at = *d.Timestamp
	}

	switch {
	case deref(d.MetricName) == "":
		return invalid("MetricName is required.")
	case kinds != 1:
		return invalid("exactly one of Value, Values and StatisticValues is required.")
	case len(d.Values) > maxValues || len(d.Counts) > 0 && len(d.Counts) != len(d.Values):
		return invalid("Values has %d elements and Counts %d: expected as many, and at most %d.",
			len(d.Values), len(d.Counts), maxValues)
	case len(d.Dimensions) > maxDimensions:
		return invalid("found %d dimensions, expected at most %d.", len(d.Dimensions), maxDimensions)
	case d.StorageResolution != nil && *d.StorageResolution != 1 && *d.StorageResolution != 60:
		return invalid("StorageResolution is %d, expected 1 or 60.", *d.StorageResolution)
	case at.Before(now.AddDate(0, 0, -14)) || at.After(now.Add(2*time.Hour)):
		return invalid("Timestamp %s must be within two weeks before and two hours after now.",
			at.Format(time.RFC3339))
	}

	for _, dimension := range d.Dimensions {
		if deref(dimension.Name) == "" || deref(dimension.Value) == "" {
			return invalid("a dimension needs a Name and a Value.")
		}
	}

	for _, value := range append(d.Values, deref(d.Value)) {
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return invalid("the value %v is not a number.", value)
		}
	}

	return nil
}

func (s *Service) putDatum(namespace string, d types.MetricDatum, now time.Time) {
	at := now
	if d.Timestamp != nil {
		at = *d.Timestamp
	}

	unix := at.Unix()
	if deref(d.StorageResolution) != 1 { // standard resolution is a minute
		unix -= unix % 60
	}

	key := seriesKey(namespace, *d.MetricName, dimensionMap(d.Dimensions))
	b := s.record(key, string(d.Unit)).at(unix, now.Unix())

	switch {
	case d.Value != nil:
		b.add(*d.Value, 1)
	case d.StatisticValues != nil:
		set := d.StatisticValues
		b.addSet(deref(set.SampleCount), deref(set.Sum), deref(set.Minimum), deref(set.Maximum))
	}

	for i, value := range d.Values {
		count := 1.0
		if len(d.Counts) > 0 {
			count = d.Counts[i]
		}

		b.add(value, count)
	}
}
