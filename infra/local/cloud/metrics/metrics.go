// Package metrics stands in for Amazon CloudWatch: metrics, and alarms that are really evaluated,
// since alarms roll releases back.
package metrics

import (
	"fmt"
	"math"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"lockstep/infra/local/cloud/wire"
)

// Service is the metric and alarm service of one account and region.
type Service struct {
	emit    func(source, detailType string, resources []string, detail any)
	pending sync.WaitGroup

	mu     sync.Mutex
	closed bool
	lag    time.Duration
	series map[string]*series
	alarms map[string]*alarm
	// asleep are the alarms that wait for data, by the keys of their metrics.
	asleep map[string][]*alarm
}

// New makes a service. It calls emit, which puts an event on the default bus, when the state of an
// alarm changes.
func New(emit func(source, detailType string, resources []string, detail any)) *Service {
	return &Service{emit: emit, series: map[string]*series{}, alarms: map[string]*alarm{},
		asleep: map[string][]*alarm{}}
}

// Close stops all evaluations.
func (s *Service) Close() {
	s.mu.Lock()

	s.closed = true
	for _, a := range s.alarms {
		a.timer.Stop()
	}
	s.mu.Unlock()
	s.pending.Wait()
}

// Lag delays when queries and alarms see new data. On AWS the delay is one to three minutes.
func (s *Service) Lag(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.lag = d
}

// Put records one value at the present second.
func (s *Service) Put(
	namespace, metric string, dimensions map[string]string, value float64, unit string,
) {
	if math.IsNaN(value) {
		return
	}

	now := time.Now().Unix()

	s.mu.Lock()
	defer s.mu.Unlock()

	s.record(seriesKey(namespace, metric, dimensions), unit).at(now, now).add(value, 1)
}

// Sum is the sum of a metric in [from, to).
func (s *Service) Sum(
	namespace, metric string, dimensions map[string]string, from, to time.Time,
) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()

	one := s.find(seriesKey(namespace, metric, dimensions), "")

	return one.between(ceilUnix(from), ceilUnix(to)).Sum
}

// ceilUnix is the first whole second that is not before t.
func ceilUnix(t time.Time) int64 { return t.Add(time.Second - 1).Unix() }

// seriesKey identifies a metric by its namespace, name and dimensions.
func seriesKey(namespace, metric string, dimensions map[string]string) string {
	var few [4]string // on the stack, since this runs for every request

	names := few[:0]
	for name := range dimensions {
		names = append(names, name)
	}

	slices.Sort(names)

	var long [128]byte

	key := append(append(append(long[:0], namespace...), 0), metric...)
	for _, name := range names {
		key = append(append(append(append(key, 0), name...), 0), dimensions[name]...)
	}

	return string(key)
}

func dimensionMap(list []types.Dimension) map[string]string {
	dimensions := make(map[string]string, len(list))
	for _, d := range list {
		dimensions[deref(d.Name)] = deref(d.Value)
	}

	return dimensions
}

func deref[T any](p *T) (value T) {
	if p != nil {
		value = *p
	}

	return value
}

func refuse(code, format string, args ...any) error {
	return wire.Refuse(code, fmt.Sprintf(format, args...))
}

func invalid(format string, args ...any) error { return refuse("ValidationError", format, args...) }

// operation takes its input as a tree and returns its output as a tree.
type operation func(s *Service, input any) (any, error)

var operations = map[string]operation{
	"PutMetricData":  handle((*Service).putMetricData),
	"GetMetricData":  handle((*Service).getMetricData),
	"PutMetricAlarm": handle((*Service).putMetricAlarm),
	"DescribeAlarms": handle((*Service).describeAlarms),
	"SetAlarmState":  handle((*Service).setAlarmState),
	"DeleteAlarms":   handle((*Service).deleteAlarms),
}

func handle[In, Out any](call func(*Service, *In) (*Out, error)) operation {
	return func(s *Service, input any) (any, error) {
		var in In
		if err := bind("input", input, reflect.ValueOf(&in).Elem()); err != nil {
			return nil, err
		}

		out, err := call(s, &in)
		if err != nil {
			return nil, err
		}

		return tree(reflect.ValueOf(out)), nil
	}
}

// ServeHTTP serves the CloudWatch API in all of its protocols.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r)
	p, name := protocolOf(r, body)

	var result any
	if err == nil {
		result, err = s.call(p, name, body)
	}

	p.answer(w, name, result, err)
}

func (s *Service) call(p protocol, name string, body []byte) (any, error) {
	run, ok := operations[name]
	if !ok {
		return nil, refuse("InvalidAction", "this stand-in for CloudWatch does not implement %q", name)
	}

	input, err := p.read(body)
	if err != nil {
		return nil, refuse("MalformedInput", "%s: %v", name, err)
	}

	return run(s, input)
}
