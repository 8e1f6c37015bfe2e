// Package metrics stands in for Amazon CloudWatch: metrics, and alarms that really evaluate, since
// an alarm that rings is what rolls a release back.
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
	// asleep are the alarms that wait for data, by the metrics that they look at.
	asleep map[string][]*alarm
}

// New makes a service; emit puts an event on the default bus when an alarm changes its state.
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

// Lag lets what is measured be seen only so much later, by queries and alarms alike: on AWS it
// takes a minute or three.
func (s *Service) Lag(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.lag = d
}

// Put records one value, now and at the resolution of a second.
func (s *Service) Put(namespace, metric string, dimensions map[string]string, value float64,
	unit string) {
	if math.IsNaN(value) {
		return
	}

	now := time.Now().Unix()

	s.mu.Lock()
	defer s.mu.Unlock()

	s.record(seriesKey(namespace, metric, dimensions), unit).at(now, now).add(value, 1)
}

// Sum adds up a metric from one time to another, the latter excluded.
func (s *Service) Sum(namespace, metric string, dimensions map[string]string, from,
	to time.Time) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.find(seriesKey(namespace, metric, dimensions), "").between(ceilUnix(from),
		ceilUnix(to)).Sum
}

// ceilUnix is the first whole second that is not before t.
func ceilUnix(t time.Time) int64 { return t.Add(time.Second - 1).Unix() }

// seriesKey identifies a metric: its dimensions are part of its name.
func seriesKey(namespace, metric string, dimensions map[string]string) string {
	var few [4]string // on the stack: this is done for every call that anybody makes

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

// operation reads its input from a tree and answers with a tree.
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

// ServeHTTP answers a call of the CloudWatch API in whichever of its protocols it comes.
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
		return nil, refuse("InvalidAction", "cloudwatch: operation %q is not part of this stand-in", name)
	}

	input, err := p.read(body)
	if err != nil {
		return nil, refuse("MalformedInput", "%s: %v", name, err)
	}

	return run(s, input)
}
