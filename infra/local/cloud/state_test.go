package cloud_test

import (
	"reflect"
	"slices"
	"testing"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/apigateway"
	"lockstep/infra/local/cloud/events"
	"lockstep/infra/local/cloud/keyvalue"
	"lockstep/infra/local/cloud/lambda"
	"lockstep/infra/local/cloud/metrics"
	"lockstep/infra/local/cloud/s3"
	"lockstep/infra/local/cloud/scheduler"
	"lockstep/infra/local/cloud/secrets"
	"lockstep/infra/local/cloud/ssm"
	"lockstep/infra/local/cloud/states"
)

// A new field of a service must be part of its saved state, or be listed here as one that is not.
func TestState_EveryFieldIsSpokenFor(t *testing.T) {
	// Fields that belong to one process: connections to other services, locks, timers, subscribers,
	// and results that are only reported.
	ofOneProcess := []string{"emit", "invoke", "deliver", "options", "mux", "quota", "mu", "ctx",
		"cancel", "running", "stop", "pending", "calls", "inFlight", "closed",
		"subscribers", "dead", "lag", "asleep"}

	for kind, keeps := range map[reflect.Type][]string{
		reflect.TypeFor[s3.Service]():         {"buckets", "serial"},
		reflect.TypeFor[lambda.Service]():     {"functions", "queue"},
		reflect.TypeFor[apigateway.Service](): {"apis"}, reflect.TypeFor[ssm.Service](): {"parameters"},
		reflect.TypeFor[secrets.Service](): {"secrets"}, reflect.TypeFor[keyvalue.Service](): {"stores"},
		reflect.TypeFor[events.Service]():    {"buses", "undelivered"},
		reflect.TypeFor[scheduler.Service](): {"groups", "schedules"},
		reflect.TypeFor[states.Service](): {"tokens", "machines",
			"executions"}, reflect.TypeFor[metrics.Service](): {"series", "alarms"},
	} {
		for i := range kind.NumField() {
			name := kind.Field(i).Name
			if uploads := kind == reflect.TypeFor[s3.Service]() && name == "uploads"; !uploads &&
				!slices.Contains(keeps, name) && !slices.Contains(ofOneProcess, name) {
				t.Errorf("%s: the field %s is neither saved nor listed as belonging to one process", kind, name)
			}
		}
	}
}

// All fields of the saved state are exported: encoding/json silently drops the others.
func TestState_IsAllExported(t *testing.T) {
	compiled := []string{"events.Rule.matches", "scheduler.Schedule.at", "asl.TaskError.heartbeat"}
	seen := map[reflect.Type]bool{}

	var look func(kind reflect.Type)

	look = func(kind reflect.Type) {
		switch kind.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array:
			look(kind.Elem())
		case reflect.Map:
			look(kind.Elem())
		case reflect.Struct:
			if _, itself := kind.MethodByName("MarshalJSON"); itself || seen[kind] {
				return
			}

			seen[kind] = true
			for i := range kind.NumField() {
				f := kind.Field(i)
				if !f.IsExported() && f.Name != "noSmithyDocumentSerde" &&
					!slices.Contains(compiled, kind.String()+"."+f.Name) {
					t.Errorf("%s.%s is not exported", kind, f.Name)
				}

				look(f.Type)
			}
		}
	}
	look(reflect.TypeFor[cloud.State]())
	look(reflect.TypeFor[metrics.State]())

	if len(seen) < 25 {
		t.Errorf("looked at %d kinds only", len(seen))
	}
}
