// Package delivery calls a target as EventBridge and Scheduler do: at least once, with backoff,
// until the attempts or the age of a retry policy are used up.
package delivery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"lockstep/infra/local/cloud/wire"
)

// The defaults of AWS for a target without a policy.
const (
	DefaultRetries = 185
	DefaultAge     = 24 * time.Hour
	longestPause   = 10 * time.Minute
)

// Policy is a RetryPolicy. A nil field has the default.
type Policy struct {
	MaximumRetryAttempts     *int `json:",omitempty"`
	MaximumEventAgeInSeconds *int `json:",omitempty"`
}

// Check checks that a policy is within the bounds of AWS. The error names the field.
func (p *Policy) Check() error {
	if p == nil {
		return nil
	}

	if n := p.MaximumRetryAttempts; n != nil && (*n < 0 || *n > DefaultRetries) {
		return fmt.Errorf("MaximumRetryAttempts: found %d, expected 0 to %d", *n, DefaultRetries)
	}

	if age := p.MaximumEventAgeInSeconds; age != nil && (*age < 60 || *age > 86400) {
		return fmt.Errorf("MaximumEventAgeInSeconds: found %d, expected 60 to 86400", *age)
	}

	return nil
}

func (p *Policy) limits() (retries int, age time.Duration) {
	retries, age = DefaultRetries, DefaultAge
	if p != nil && p.MaximumRetryAttempts != nil {
		retries = *p.MaximumRetryAttempts
	}

	if p != nil && p.MaximumEventAgeInSeconds != nil {
		age = time.Duration(*p.MaximumEventAgeInSeconds) * time.Second
	}

	return retries, age
}

// Do calls until a call succeeds or the policy is used up, and returns the number of calls. The
// error is that of the last call, or of the context if that ended first.
func Do(
	ctx context.Context, policy *Policy, call func(context.Context) error,
) (calls int, err error) {
	retries, age := policy.limits()
	deadline := time.Now().Add(age)

	for pause := time.Second; ; pause = min(2*pause, longestPause) {
		err = call(ctx)

		calls++
		if err == nil || calls > retries || !retriable(err) {
			return calls, err
		}

		wait := pause/2 + rand.N(pause/2)
		if time.Now().Add(wait).After(deadline) {
			return calls, err
		}

		select {
		case <-ctx.Done():
			return calls, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// retriable is false for a request that the target refused as invalid: AWS does not retry it.
func retriable(err error) bool {
	refusal, ok := errors.AsType[*wire.Error](err)
	if !ok || refusal.Status >= 500 || refusal.Status == http.StatusTooManyRequests {
		return true
	}

	return strings.Contains(refusal.Code, "Throttl") ||
		strings.Contains(refusal.Code, "TooManyRequests")
}
