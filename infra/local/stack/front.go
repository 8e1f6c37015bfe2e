package stack

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"lockstep/infra/config"
	"lockstep/infra/local/front"
	sm "lockstep/statemachine"
)

// locations is the number of edge locations. A new route reaches the last one after
// EdgeConvergence.
const locations = 3

// front is the distribution and the API in front of the buckets and the functions.
func (s *Stack) front(o Options) http.Handler {
	functions := map[string]string{}

	for _, f := range o.Functions {
		for _, route := range f.Routes {
			functions[route] = o.Lambda(f)
		}
	}

	return front.New(front.Options{
		SinglePage: o.Site.Pages == config.Single,
		Locations:  locations,
		Route: func(location int, key string) (string, bool) {
			lag := o.EdgeConvergence * time.Duration(location) / (locations - 1)
			return s.Cloud.KeyValue.Read(s.Settings.KeyValue, key, time.Now().Add(-lag))
		},
		Object: func(e sm.Environment, key string) (front.Object, bool) {
			bucket := s.Settings.SiteBuckets[e]
			object, ok := s.Cloud.S3.Get(bucket, key)
			requests := map[string]string{"BucketName": bucket, "FilterId": config.SiteMetrics}
			s.Cloud.Metrics.Put("AWS/S3", "AllRequests", requests, 1, "Count")
			s.Cloud.Metrics.Put("AWS/S3", "5xxErrors", requests, 0, "Count") // memory does not fail

			return front.Object{
				Body: object.Body, ContentType: object.ContentType, CacheControl: object.CacheControl,
				ETag: object.ETag, Metadata: object.Metadata,
			}, ok
		},
		API: API, Functions: functions,
		Stage: func(e sm.Environment) (map[string]string, bool) {
			stage, ok := s.Cloud.APIGateway.Stage(API, e.Stage())
			return stage.Variables, ok
		},
		Invoke: s.invoke,
		Record: func(metric, stage string, value float64) {
			dimensions := map[string]string{"ApiName": o.App, "Stage": stage}
			s.Cloud.Metrics.Put("AWS/ApiGateway", metric, dimensions, value, unit(metric))
		},
	})
}

// invoke calls a function for a method of the API, if the policy of its alias permits that.
func (s *Stack) invoke(
	ctx context.Context, source, function string, payload []byte,
) (answer []byte, functionError string, err error) {
	if !s.Cloud.Lambda.Permits(function, "apigateway.amazonaws.com", source) {
		return nil, "", fmt.Errorf("call %s for %s: the policy does not permit it", function, source)
	}

	return s.Cloud.Lambda.Invoke(ctx, function, payload)
}

func unit(metric string) string {
	if metric == "Latency" {
		return "Milliseconds"
	}

	return "Count"
}
