package lambda_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"lockstep/infra/local/cloud/lambda"
)

type fullCart struct{ error }

func failing(context.Context, []byte) ([]byte, error) {
	return nil, &fullCart{errors.New("the cart is full")}
}

func TestInvoke_AnswersAsARuntimeWould(t *testing.T) {
	for what, tc := range map[string]struct {
		handler       lambda.Handler
		payload       string
		functionError string
	}{
		"an answer": {func(_ context.Context, in []byte) ([]byte, error) {
			return append(in, ' '),
				nil
		}, `{"n":1} `, ""},
		"an error type": {failing, `{"errorMessage":"the cart is full","errorType":"fullCart"}`,
			"Unhandled"},
		"a wrapped error": {func(context.Context, []byte) ([]byte, error) {
			return nil, fmt.Errorf("add: %w", &fullCart{errors.New("full")})
		},
			`{"errorMessage":"add: full","errorType":"wrapError"}`, "Unhandled"},
		"a named error": {func(context.Context, []byte) ([]byte, error) {
			return nil, messages.InvokeResponse_Error{Type: "StaleWrite", Message: "late"}
		}, `{"errorMessage":"late","errorType":"StaleWrite"}`, "Unhandled"},
		"a panic": {func(context.Context, []byte) ([]byte, error) { panic("no way") },
			`{"errorMessage":"no way","errorType":"string"}`, "Unhandled"},
		"a kill": {func(context.Context, []byte) ([]byte, error) { return nil, lambda.ErrExit },
			"Runtime.ExitError", "Unhandled"},
		"a timeout": {func(ctx context.Context, _ []byte) ([]byte, error) {
			<-ctx.Done()

			return nil,
				ctx.Err()
		}, "Task timed out after 3.00 seconds", "Unhandled"},
	} {
		t.Run(what, func(t *testing.T) {
			run(t, lambda.Options{Runner: lambda.NewInProcess(map[string]lambda.Handler{"shop-orders": tc.handler})},
				func(t *testing.T, s *lambda.Service, c *sdk.Client) {
					out, err := c.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: orders,
						Qualifier: aws.String("a"), Payload: []byte(`{"n":1}`)})
					if err != nil {
						t.Fatal(err)
					}

					if !strings.Contains(string(out.Payload), tc.payload) ||
						aws.ToString(out.FunctionError) != tc.functionError || *out.ExecutedVersion != "1" {
						t.Errorf("got %s, %q, version %s, want %s, %q, version 1",
							out.Payload, aws.ToString(
								out.FunctionError), *out.ExecutedVersion, tc.payload, tc.functionError)
					}
				})
		})
	}
}

func TestInvoke_OldCodeServesLatestWhileItIsUpdated(t *testing.T) {
	answer := func(text string) lambda.Handler {
		return func(context.Context, []byte) ([]byte, error) { return []byte(text), nil }
	}
	runner := lambda.NewInProcess(map[string]lambda.Handler{"shop-orders": answer("old")})
	run(t, lambda.Options{Runner: runner}, func(t *testing.T, s *lambda.Service, c *sdk.Client) {
		zip := zipOf(t, "bootstrap", "v2")
		runner.Handle(lambda.Digest(zip), answer("new"))

		if _, err := c.UpdateFunctionCode(t.Context(),
			&sdk.UpdateFunctionCodeInput{FunctionName: orders, ZipFile: zip}); err != nil {
			t.Fatal(err)
		}

		during, _, _ := s.Invoke(t.Context(), "shop-orders", nil)

		time.Sleep(time.Second)

		after, _, _ := s.Invoke(t.Context(), "shop-orders", nil)

		published, _, _ := s.Invoke(t.Context(), "shop-orders:a", nil)
		if string(during) != "old" || string(after) != "new" || string(published) != "old" {
			t.Errorf("got %s during the update, %s after, %s from version 1, want old, new, old", during,
				after, published)
		}
	})
}

func TestInvoke_BeyondConcurrencyIsThrottledAndObserved(t *testing.T) {
	var (
		mu   sync.Mutex
		seen []string
	)

	options := lambda.Options{
		Limits: lambda.Limits{Concurrency: 1},
		Runner: lambda.NewInProcess(map[string]lambda.Handler{"shop-orders": func(context.Context,
			[]byte) ([]byte, error) {
			time.Sleep(time.Second)
			return nil, errors.New("no")
		}}),
		Observe: func(function, resource string, d time.Duration, failed, throttled bool) {
			mu.Lock()
			defer mu.Unlock()

			seen = append(seen, fmt.Sprint(function, " ", resource, " ", d, " ", failed, " ", throttled))
		},
	}
	run(t, options, func(t *testing.T, s *lambda.Service, c *sdk.Client) {
		go func() { _, _, _ = s.Invoke(t.Context(), "shop-orders:a", nil) }()

		synctest.Wait()

		_, err := c.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: orders,
			Qualifier: aws.String("b")})
		wantCode(t, "a second call", err, "TooManyRequestsException")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()

		if got := strings.Join(
			seen, "; "); got != "shop-orders b 0s false true; shop-orders a 1s true false" {
			t.Errorf("observed %s", got)
		}
	})
}

func TestInvoke_CallerWhoLeavesDoesNotEndTheFunction(t *testing.T) {
	finished := false
	runner := lambda.NewInProcess(map[string]lambda.Handler{"shop-orders": func(ctx context.Context,
		_ []byte) ([]byte, error) {
		time.Sleep(2 * time.Second)

		finished = ctx.Err() == nil

		return nil, nil
	}})
	run(t, lambda.Options{Runner: runner}, func(t *testing.T, s *lambda.Service, c *sdk.Client) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()

		_, _, err := s.Invoke(ctx, "shop-orders", nil)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the caller's own deadline", err)
		}

		time.Sleep(2 * time.Second)
		synctest.Wait()

		if !finished {
			t.Error("the function ended with its caller")
		}
	})
}

func TestInvoke_EventIsTriedThreeTimes(t *testing.T) {
	for failures, want := range map[int]string{0: "[0s]", 1: "[0s 1m0s]", 2: "[0s 1m0s 3m0s]",
		9: "[0s 1m0s 3m0s]"} {
		var (
			start    time.Time
			attempts []time.Duration
		)

		runner := lambda.NewInProcess(map[string]lambda.Handler{"shop-orders": func(context.Context,
			[]byte) ([]byte, error) {
			attempts = append(attempts, time.Since(start))
			if len(attempts) <= failures {
				return nil, errors.New("not yet")
			}

			return nil, nil
		}})
		run(t, lambda.Options{Runner: runner}, func(t *testing.T, s *lambda.Service, c *sdk.Client) {
			start = time.Now()

			out, err := c.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: orders,
				InvocationType: types.InvocationTypeEvent})
			if err != nil || out.StatusCode != 202 {
				t.Fatalf("got %+v, %v, want 202", out, err)
			}

			time.Sleep(time.Hour)
			synctest.Wait()

			if got := fmt.Sprint(attempts); got != want {
				t.Errorf("%d failures: attempts at %s, want %s", failures, got, want)
			}
		})
	}
}

func TestInvokeAsync_WaitsOutThrottling(t *testing.T) {
	calls := 0
	options := lambda.Options{
		Limits: lambda.Limits{Concurrency: 1},
		Runner: lambda.NewInProcess(map[string]lambda.Handler{"shop-orders": func(context.Context,
			[]byte) ([]byte, error) {
			calls++

			time.Sleep(2 * time.Second)

			return nil, nil
		}}),
	}
	run(t, options, func(t *testing.T, s *lambda.Service, c *sdk.Client) {
		for range 5 {
			if err := s.InvokeAsync("shop-orders:a", []byte("{}")); err != nil {
				t.Fatal(err)
			}
		}

		time.Sleep(time.Hour)
		synctest.Wait()

		if calls != 5 {
			t.Errorf("%d of 5 events arrived", calls)
		}
	})
}

func TestInvoke_Refusals(t *testing.T) {
	run(t, lambda.Options{}, func(t *testing.T, s *lambda.Service, c *sdk.Client) {
		for what, tc := range map[string]struct {
			in   sdk.InvokeInput
			code string
		}{
			"an unknown alias": {sdk.InvokeInput{FunctionName: orders, Qualifier: aws.String("z")},
				"ResourceNotFoundException"},
			"an unknown function": {sdk.InvokeInput{FunctionName: aws.String("nobody"),
				InvocationType: types.InvocationTypeEvent}, "ResourceNotFoundException"},
			"not JSON": {sdk.InvokeInput{FunctionName: orders, Payload: []byte("{")},
				"InvalidRequestContentException"},
			"too large": {sdk.InvokeInput{FunctionName: orders, Payload: make([]byte, 7<<20)},
				"RequestTooLargeException"},
		} {
			_, err := c.Invoke(t.Context(), &tc.in)
			wantCode(t, what, err, tc.code)
		}

		_, err := c.GetPolicy(t.Context(), &sdk.GetPolicyInput{FunctionName: orders})
		wantCode(t, "an operation that is not stood in for", err, "UnknownOperationException")
	})
}
