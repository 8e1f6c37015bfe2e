package scheduler

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/smithy-go"

	"lockstep/infra/local/cloud/wire"
)

type inProcess struct{ http.Handler }

func (h inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)

	return w.Result(), nil
}

func client(s *Service) *scheduler.Client {
	return scheduler.New(scheduler.Options{
		Region: wire.Region, BaseEndpoint: aws.String("http://cloud"),
		HTTPClient:  &http.Client{Transport: inProcess{s}},
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	})
}

// target records its calls with their times. It fails a given number of times.
type target struct {
	mu       sync.Mutex
	failures int
	err      error
	calls    []string
}

func (t *target) deliver(_ context.Context, arn, _ string, input []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()

	t.calls = append(t.calls, fmt.Sprintf("%s %s %s",
		time.Now().UTC().Format("2006-01-02T15:04:05.000"), arn, input))
	if t.failures > 0 {
		t.failures--
		return t.err
	}

	return nil
}

func (t *target) seen() []string {
	t.mu.Lock()
	defer t.mu.Unlock()

	return slices.Clone(t.calls)
}

const (
	group = "lockstep-shop"
	token = `{"TaskToken":"t","Output":"{}"}`
)

func schedule(name string, at time.Time) *scheduler.CreateScheduleInput {
	return &scheduler.CreateScheduleInput{
		Name: aws.String(name), GroupName: aws.String(group),
		ScheduleExpression:    aws.String(at.UTC().Format("at(2006-01-02T15:04:05)")),
		FlexibleTimeWindow:    &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		ActionAfterCompletion: types.ActionAfterCompletionDelete,
		Target: &types.Target{Arn: aws.String(SendTaskSuccess),
			RoleArn: aws.String("arn:aws:iam::123456789012:role/ramp"), Input: aws.String(token)},
	}
}

func code(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}

	return api.ErrorCode()
}

// run gives a test a scheduler with a group, its client and its target, in virtual time.
func run(t *testing.T, test func(t *testing.T, s *Service, c *scheduler.Client, to *target)) {
	synctest.Test(t, func(t *testing.T) {
		to := &target{}

		s := New(to.deliver)
		defer s.Close()

		s.CreateGroup(group)
		test(t, s, client(s), to)
	})
}

func TestCreateSchedule_FiresAtTheSecondAndIsDeleted(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *scheduler.Client, to *target) {
		at := time.Now().AddDate(0, 1, 0).Truncate(time.Second)

		out, err := c.CreateSchedule(t.Context(), schedule("ramp-v2-1", at))
		if err != nil || *out.ScheduleArn != "arn:aws:scheduler:us-east-1:123456789012:schedule/lockstep-shop/ramp-v2-1" {
			t.Fatalf("CreateSchedule = %+v, %v", out, err)
		}

		if got := s.List(); len(got) != 1 || !got[0].At().Equal(at) {
			t.Fatalf("List = %+v", got)
		}

		pass(time.Until(at) - time.Nanosecond)

		if len(to.seen()) != 0 {
			t.Fatalf("fired early: %q", to.seen())
		}

		pass(time.Nanosecond)

		want := []string{at.UTC().Format("2006-01-02T15:04:05.000 ") + SendTaskSuccess + " " + token}
		if !slices.Equal(to.seen(), want) || len(s.List()) != 0 {
			t.Errorf("calls = %q, want %q; left %v", to.seen(), want, s.List())
		}
	})
}

func TestCreateSchedule_InThePastFiresAtOnce(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *scheduler.Client, to *target) {
		in := schedule("late", time.Now().Add(-time.Hour))

		in.ActionAfterCompletion = types.ActionAfterCompletionNone
		if _, err := c.CreateSchedule(t.Context(), in); err != nil {
			t.Fatal(err)
		}

		synctest.Wait()

		if len(to.seen()) != 1 || len(s.List()) != 1 {
			t.Errorf("calls = %q, left %v", to.seen(), s.List())
		}
	})
}

func TestCreateSchedule_TimeZone(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *scheduler.Client, to *target) {
		in := schedule("zoned", time.Now())

		in.ScheduleExpression, in.ScheduleExpressionTimezone = aws.String(
			"at(2030-07-01T12:00:00)"), aws.String("Europe/Berlin")
		if _, err := c.CreateSchedule(t.Context(), in); err != nil {
			t.Fatal(err)
		}

		if at := s.List()[0].At().UTC(); !at.Equal(time.Date(2030, 7, 1, 10, 0, 0, 0, time.UTC)) {
			t.Errorf("fires at %v", at)
		}
	})
}

func TestCreateSchedule_Refused(t *testing.T) {
	for name, c := range map[string]struct {
		change        func(*scheduler.CreateScheduleInput)
		code, message string
	}{
		"group that does not exist": {func(in *scheduler.CreateScheduleInput) { in.GroupName = aws.String("nowhere") }, "ResourceNotFoundException", "nowhere"},
		"name with a slash":         {func(in *scheduler.CreateScheduleInput) { in.Name = aws.String("a/b") }, "ValidationException", "a/b"},
		"name too long":             {func(in *scheduler.CreateScheduleInput) { in.Name = aws.String(strings.Repeat("n", 65)) }, "ValidationException", "64"},
		"rate":                      {func(in *scheduler.CreateScheduleInput) { in.ScheduleExpression = aws.String("rate(5 minutes)") }, "ValidationException", "one-time"},
		"cron":                      {func(in *scheduler.CreateScheduleInput) { in.ScheduleExpression = aws.String("cron(0 9 * * ? *)") }, "ValidationException", "one-time"},
		"no such day":               {func(in *scheduler.CreateScheduleInput) { in.ScheduleExpression = aws.String("at(2030-02-30T00:00:00)") }, "ValidationException", "Invalid Schedule Expression"},
		"milliseconds": {func(in *scheduler.CreateScheduleInput) {
			in.ScheduleExpression = aws.String("at(2030-02-03T00:00:00.500)")
		}, "ValidationException", "Invalid Schedule Expression"},
		"time with Z": {func(in *scheduler.CreateScheduleInput) {
			in.ScheduleExpression = aws.String("at(2030-02-03T00:00:00Z)")
		}, "ValidationException", "Invalid Schedule Expression"},
		"time zone":             {func(in *scheduler.CreateScheduleInput) { in.ScheduleExpressionTimezone = aws.String("Mars/Base") }, "ValidationException", "Timezone"},
		"flexible window":       {func(in *scheduler.CreateScheduleInput) { in.FlexibleTimeWindow.Mode = "FLEXIBLE" }, "ValidationException", "OFF"},
		"role":                  {func(in *scheduler.CreateScheduleInput) { in.Target.RoleArn = aws.String("ramp") }, "ValidationException", "role"},
		"unknown target":        {func(in *scheduler.CreateScheduleInput) { in.Target.Arn = aws.String("arn:aws:sqs:us-east-1:1:q") }, "ValidationException", "sqs"},
		"input without a token": {func(in *scheduler.CreateScheduleInput) { in.Target.Input = aws.String(`{"Output":"{}"}`) }, "ValidationException", "TaskToken"},
		"too many retries": {func(in *scheduler.CreateScheduleInput) {
			in.Target.RetryPolicy = &types.RetryPolicy{MaximumRetryAttempts: aws.Int32(186)}
		}, "ValidationException", "185"},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, s *Service, client *scheduler.Client, _ *target) {
				in := schedule("ramp", time.Now().Add(time.Hour))
				c.change(in)

				_, err := client.CreateSchedule(t.Context(), in)
				if code(err) != c.code || !strings.Contains(err.Error(), c.message) || len(s.List()) != 0 {
					t.Errorf("error %v, want %s with %q", err, c.code, c.message)
				}
			})
		})
	}
}

func TestCreateSchedule_WithoutWindow(t *testing.T) {
	s := New((&target{}).deliver)
	defer s.Close()

	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/schedules/ramp",
		strings.NewReader(`{"ScheduleExpression":"at(2030-01-01T00:00:00)"}`)))

	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "flexibleTimeWindow") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestCreateSchedule_Twice(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *scheduler.Client, to *target) {
		in := schedule("ramp", time.Now().Add(time.Hour))

		in.ClientToken = aws.String("token-1")
		for range 2 { // the same call again, as after a lost answer
			if _, err := c.CreateSchedule(t.Context(), in); err != nil {
				t.Fatal(err)
			}
		}

		in.ClientToken = aws.String("token-2")

		var conflict *types.ConflictException
		if _, err := c.CreateSchedule(t.Context(), in); !errors.As(err, &conflict) {
			t.Errorf("another call of the same name: %v", err)
		}

		pass(2 * time.Hour)

		if len(to.seen()) != 1 {
			t.Errorf("calls = %q", to.seen())
		}
	})
}

func TestUpdateAndDelete(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *scheduler.Client, to *target) {
		first, second := time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
		for _, name := range []string{"moved", "gone"} {
			if _, err := c.CreateSchedule(t.Context(), schedule(name, first)); err != nil {
				t.Fatal(err)
			}
		}

		in := schedule("moved", second)
		if _, err := c.UpdateSchedule(t.Context(), &scheduler.UpdateScheduleInput{
			Name: in.Name, GroupName: in.GroupName, ScheduleExpression: in.ScheduleExpression,
			FlexibleTimeWindow: in.FlexibleTimeWindow, Target: in.Target,
		}); err != nil {
			t.Fatal(err)
		}

		if _, err := c.DeleteSchedule(t.Context(), &scheduler.DeleteScheduleInput{Name: aws.String("gone"), GroupName: aws.String(group)}); err != nil {
			t.Fatal(err)
		}

		pass(3 * time.Hour)

		if len(to.seen()) != 1 || !strings.HasPrefix(to.seen()[0],
			second.UTC().Format("2006-01-02T15:04:05")) {
			t.Errorf("calls = %q", to.seen())
		}

		got, err := c.GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: in.Name,
			GroupName: in.GroupName})
		if err != nil || got.ActionAfterCompletion != types.ActionAfterCompletionNone ||
			*got.Target.Input != token || got.State != types.ScheduleStateEnabled ||
			got.LastModificationDate == nil {
			t.Errorf("GetSchedule = %+v, %v", got, err)
		}

		var missing *types.ResourceNotFoundException
		if _, err := c.DeleteSchedule(t.Context(), &scheduler.DeleteScheduleInput{Name: aws.String("gone"), GroupName: aws.String(group)}); !errors.As(err, &missing) {
			t.Errorf("deleted twice: %v", err)
		}

		if _, err := c.GetSchedule(
			t.Context(), &scheduler.GetScheduleInput{Name: in.Name}); !errors.As(err, &missing) {
			t.Errorf("in the default group: %v", err)
		}
	})
}

func TestListSchedules_Pages(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *scheduler.Client, _ *target) {
		other := schedule("ramp-other", time.Now().Add(time.Hour))
		other.GroupName = nil

		all := []*scheduler.CreateScheduleInput{other}
		for _, name := range []string{"ramp-3", "ramp-1", "ramp-2", "drain"} {
			all = append(all, schedule(name, time.Now().Add(time.Hour)))
		}

		for _, in := range all {
			if _, err := c.CreateSchedule(t.Context(), in); err != nil {
				t.Fatal(err)
			}
		}

		var names []string

		pages := scheduler.NewListSchedulesPaginator(c,
			&scheduler.ListSchedulesInput{GroupName: aws.String(group), NamePrefix: aws.String("ramp"),
				MaxResults: aws.Int32(2)})

		n := 0
		for ; pages.HasMorePages(); n++ {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}

			for _, one := range page.Schedules {
				names = append(names, *one.Name)
			}
		}

		if n != 2 || !slices.Equal(names, []string{"ramp-1", "ramp-2", "ramp-3"}) {
			t.Errorf("%d pages with %q", n, names)
		}
	})
}

func TestFire_RetriesThenGivesUp(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *scheduler.Client, to *target) {
		to.failures, to.err = 100, errors.New("down")
		in := schedule("ramp", time.Now().Add(time.Hour))

		in.Target.RetryPolicy = &types.RetryPolicy{MaximumRetryAttempts: aws.Int32(3),
			MaximumEventAgeInSeconds: aws.Int32(3600)}
		if _, err := c.CreateSchedule(t.Context(), in); err != nil {
			t.Fatal(err)
		}

		pass(3 * time.Hour)

		if dead := s.DeadLetters(); len(to.seen()) != 4 || len(dead) != 1 || dead[0].Calls != 4 ||
			len(s.List()) != 0 {
			t.Errorf("calls %q, dead letters %+v, left %v", to.seen(), dead, s.List())
		}
	})
}

func TestFire_TokenAlreadyUsedIsNotRetried(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *scheduler.Client, to *target) {
		to.failures, to.err = 100, wire.Refuse("TaskTimedOut",
			"Task Timed Out: 'Provided task does not exist anymore'")
		if _, err := c.CreateSchedule(t.Context(), schedule("ramp",
			time.Now().Add(time.Minute))); err != nil {
			t.Fatal(err)
		}

		pass(time.Hour)

		if len(to.seen()) != 1 || len(s.List()) != 0 {
			t.Errorf("calls %q, left %v", to.seen(), s.List())
		}
	})
}

func TestClose_StopsSchedules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &target{}
		s := New(to.deliver)
		s.CreateGroup(group)

		if _, err := client(s).CreateSchedule(t.Context(),
			schedule("ramp", time.Now().Add(time.Hour))); err != nil {
			t.Fatal(err)
		}

		s.Close()
		pass(2 * time.Hour)

		if len(to.seen()) != 0 {
			t.Errorf("calls = %q", to.seen())
		}
	})
}

// pass advances virtual time and waits for everything that is due.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
