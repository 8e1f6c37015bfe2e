package lambda

import (
	"time"

	"github.com/google/uuid"
)

// A throttled event is retried with growing delays until it is too old.
const (
	maxEventAge   = 6 * time.Hour
	firstThrottle = time.Second
	lastThrottle  = 5 * time.Minute
)

// InvokeAsync queues an event for a function, like invocation type Event. It returns at once. A
// failed invocation is retried twice.
func (s *Service) InvokeAsync(functionNameOrARN string, payload []byte) error {
	return s.invokeAsync(functionNameOrARN, "", payload)
}

func (s *Service) invokeAsync(text, qualifier string, payload []byte) error {
	n, err := s.exists(text, qualifier)
	if err != nil {
		return err
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	if s.closed {
		return errClosed
	}

	q := queued{Call{uuid.NewString(), n.arn(), payload}, time.Now()}
	s.queue[q.Call.RequestID] = q

	s.calls.Add(1)
	go s.deliver(n, q)

	return nil
}

// Queued is how many events are under way or wait for another attempt.
func (s *Service) Queued() int {
	s.mu.Lock()
	defer s.mu.Unlock()

	return len(s.queue)
}

// deliver finds the version anew for each attempt, since an alias may have moved.
func (s *Service) deliver(n name, q queued) {
	defer s.calls.Done()
	defer func() {
		s.mu.Lock()
		delete(s.queue, q.Call.RequestID)
		s.mu.Unlock()
	}()

	throttle := firstThrottle

	for retries := 0; time.Since(q.Since) < maxEventAge; {
		var delay time.Duration

		v, err := s.admit(n)
		if err == nil {
			out := s.run(n, v, q.Call)
			if out.err == nil && out.functionError == "" {
				return
			}
		}

		switch {
		case isThrottled(err):
			delay, throttle = throttle, min(2*throttle, lastThrottle)
		case retries == len(s.options.RetryDelays):
			return
		default:
			delay = s.options.RetryDelays[retries]
			retries++
		}

		if !s.pause(delay) {
			return
		}
	}
}

// pause waits. It returns false if the Service was closed.
func (s *Service) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-timer.C:
		return true
	case <-s.running.Done():
		return false
	}
}
