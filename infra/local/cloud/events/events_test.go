package events

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
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"

	"lockstep/infra/local/cloud/events/delivery"
	"lockstep/infra/local/cloud/wire"
)

type inProcess struct{ http.Handler }

func (h inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)

	return w.Result(), nil
}

func client(s *Service) *eventbridge.Client {
	return eventbridge.New(eventbridge.Options{
		Region: wire.Region, BaseEndpoint: aws.String("http://cloud"),
		HTTPClient:  &http.Client{Transport: inProcess{s}},
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	})
}

// target records its calls. It fails a given number of times.
type target struct {
	mu       sync.Mutex
	failures int
	err      error
	calls    []string
}

func (t *target) deliver(_ context.Context, arn, role string, input []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()

	t.calls = append(t.calls, fmt.Sprintf("%s %s %s", arn, role, input))
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
	function = "arn:aws:lambda:us-east-1:123456789012:function:signal"
	machine  = "arn:aws:states:us-east-1:123456789012:stateMachine:release"
	role     = "arn:aws:iam::123456789012:role/events"
	anyEvent = `{"source":[{"prefix":""}]}`
)

func code(err error) string {
	var api smithy.APIError
	errors.As(err, &api)

	if api == nil {
		return ""
	}

	return api.ErrorCode()
}

func TestPutEvents_ReachesTheRulesThatMatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &target{}

		s := New(to.deliver)
		defer s.Close()

		s.CreateBus("shop")

		var seen []string

		cancel := s.Subscribe("shop", func(e Event) { seen = append(seen, e.DetailType) })
		for _, rule := range []Rule{
			{Name: "merged", Bus: "shop", Pattern: `{"detail":{"app":["shop"]}}`,
				Targets: []Target{{ID: "m", ARN: machine, RoleARN: role, InputPath: "$.detail"}}},
			{Name: "other", Bus: "shop", Pattern: `{"detail":{"app":["other"]}}`,
				Targets: []Target{{ID: "f", ARN: function}}},
			{Name: "default-bus", Pattern: anyEvent, Targets: []Target{{ID: "f", ARN: function}}},
		} {
			if err := s.PutRule(rule); err != nil {
				t.Fatal(err)
			}
		}

		out, err := client(s).PutEvents(t.Context(),
			&eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
				EventBusName: aws.String("arn:aws:events:us-east-1:123456789012:event-bus/shop"),
				Source:       aws.String("lockstep.ci"), DetailType: aws.String("Release Merged"),
				Detail: aws.String(`{"app":"shop","release":"v2"}`),
			}}})
		if err != nil || out.FailedEntryCount != 0 || aws.ToString(out.Entries[0].EventId) == "" {
			t.Fatalf("PutEvents = %+v, %v", out, err)
		}

		synctest.Wait()

		want := []string{machine + " " + role + ` {"app":"shop","release":"v2"}`}
		if !slices.Equal(to.seen(), want) {
			t.Errorf("calls = %q, want %q", to.seen(), want)
		}

		cancel()
		s.publish("shop", Event{Source: "a", DetailType: "after cancel", Detail: []byte("{}")})

		if !slices.Equal(seen, []string{"Release Merged"}) {
			t.Errorf("subscriber saw %q", seen)
		}
	})
}

func TestPutEvents_RefusesEntryByEntry(t *testing.T) {
	s := New((&target{}).deliver)
	defer s.Close()

	entry := func(bus, source, detailType, detail string) types.PutEventsRequestEntry {
		e := types.PutEventsRequestEntry{EventBusName: aws.String(bus)}
		for to, from := range map[**string]string{&e.Source: source, &e.DetailType: detailType,
			&e.Detail: detail} {
			if from != "" {
				*to = aws.String(from)
			}
		}

		return e
	}
	cases := []struct {
		entry types.PutEventsRequestEntry
		want  string
	}{
		{entry("default", "ci", "Merged", `{}`), ""},
		{entry("default", "", "Merged", `{}`), "InvalidArgument"},
		{entry("default", "ci", "", `{}`), "InvalidArgument"},
		{entry("default", "ci", "Merged", ""), "InvalidArgument"},
		{entry("default", "ci", "Merged", `{"a":`), "MalformedDetail"},
		{entry("default", "ci", "Merged", `[]`), "MalformedDetail"},
		{entry("default", "aws.s3", "Merged", `{}`), "NotAuthorizedForSourceException"},
		{entry("nowhere", "ci", "Merged", `{}`), "ResourceNotFoundException"},
	}

	var in eventbridge.PutEventsInput
	for _, c := range cases {
		in.Entries = append(in.Entries, c.entry)
	}

	out, err := client(s).PutEvents(t.Context(), &in)
	if err != nil || int(out.FailedEntryCount) != len(cases)-1 {
		t.Fatalf("PutEvents = %+v, %v", out, err)
	}

	for i, c := range cases {
		got := out.Entries[i]
		if aws.ToString(got.ErrorCode) != c.want || (got.EventId != nil) != (c.want == "") {
			t.Errorf("entry %d: code %q, want %q", i, aws.ToString(got.ErrorCode), c.want)
		}
	}

	in.Entries = slices.Repeat(in.Entries[:1], 11)
	if _, err := client(s).PutEvents(t.Context(), &in); code(err) != "ValidationException" {
		t.Errorf("eleven entries: %v", err)
	}

	in.Entries = []types.PutEventsRequestEntry{entry("default", "ci", "Merged", `{"a":"`+
		strings.Repeat("x", maxBytes)+`"}`)}
	if _, err := client(s).PutEvents(t.Context(), &in); code(err) != "ValidationException" {
		t.Errorf("too large: %v", err)
	}
}

func TestDelivery_RetriesUntilTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &target{failures: 7, err: errors.New("throttled")}

		s := New(to.deliver)
		defer s.Close()

		if err := s.PutRule(Rule{Name: "r", Pattern: anyEvent,
			Targets: []Target{{ID: "f", ARN: function}}}); err != nil {
			t.Fatal(err)
		}

		s.Emit("aws.s3", "Object Created", nil, map[string]string{"key": "releases/v2/release.json"})
		pass(10 * time.Minute)

		if len(to.seen()) != 8 || len(s.DeadLetters()) != 0 {
			t.Errorf("%d calls, dead letters %v", len(to.seen()), s.DeadLetters())
		}
	})
}

func TestDelivery_GivesUp(t *testing.T) {
	two, minute := 2, 60
	for name, c := range map[string]struct {
		target Target
		err    error
		calls  func(int) bool
	}{
		"after a day": {target: Target{}, err: errors.New("down"),
			calls: func(n int) bool { return n > 100 && n <= 186 }},
		"after its attempts": {target: Target{RetryPolicy: &delivery.Policy{MaximumRetryAttempts: &two}},
			err:   errors.New("down"),
			calls: func(n int) bool { return n == 3 }},
		"after its age": {target: Target{RetryPolicy: &delivery.Policy{MaximumEventAgeInSeconds: &minute}}, err: errors.New("down"),
			calls: func(n int) bool { return n > 4 && n < 9 }},
		"at once, where the target refuses": {err: wire.Refuse("InvalidToken", "no such task"),
			calls: func(n int) bool { return n == 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				to := &target{failures: 1000, err: c.err}

				s := New(to.deliver)
				defer s.Close()

				c.target.ID, c.target.ARN = "f", function
				if err := s.PutRule(Rule{Name: "r", Pattern: anyEvent,
					Targets: []Target{c.target}}); err != nil {
					t.Fatal(err)
				}

				s.Emit("aws.s3", "Object Created", nil, struct{}{})
				pass(25 * time.Hour)

				dead := s.DeadLetters()
				if !c.calls(len(to.seen())) || len(dead) != 1 || dead[0].Calls != len(to.seen()) ||
					!errors.Is(dead[0].Err, c.err) {
					t.Errorf("%d calls, dead letters %+v", len(to.seen()), dead)
				}
			})
		})
	}
}

func TestClose_EndsDeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New((&target{failures: 1000, err: errors.New("down")}).deliver)
		if err := s.PutRule(Rule{Name: "r", Pattern: anyEvent,
			Targets: []Target{{ID: "f", ARN: function}}}); err != nil {
			t.Fatal(err)
		}

		s.Emit("aws.s3", "Object Created", nil, struct{}{})
		synctest.Wait()
		s.Close() // the test fails if a delivery outlives this
		s.Emit("aws.s3", "Object Created", nil, struct{}{})
	})
}

func TestTarget_Input(t *testing.T) {
	event := []byte(instanceEvent)
	tree, _ := decode(event)
	rule := &Rule{Name: "r", Bus: "shop"}

	for name, c := range map[string]struct {
		target Target
		want   string
	}{
		"whole event": {Target{}, instanceEvent},
		"constant":    {Target{Input: `{"a":1}`}, `{"a":1}`},
		"part":        {Target{InputPath: "$.detail.metrics[1]"}, `{"name":"disk","value":9}`},
		"template of JSON": {Target{InputTransformer: &InputTransformer{
			InputPathsMap: map[string]string{"id": "$.detail.instance-id", "count": "$.detail.c-count",
				"tags": "$.detail.tags", "gone": "$.detail.gone"},
			InputTemplate: `{"id":<id>,"count":<count>,"tags":<tags>,"text":"<id> has <tags>","gone":<gone>,"rule":<aws.events.rule-arn>}`,
		}}, `{"id":"i-1234567890abcdef0","count":3,"tags":["blue","green"],"text":"i-1234567890abcdef0 has [\"blue\",\"green\"]","gone":"","rule":"arn:aws:events:us-east-1:123456789012:rule/shop/r"}`},
		"template of text": {Target{InputTransformer: &InputTransformer{
			InputPathsMap: map[string]string{"type": "$.detail-type"}, InputTemplate: `"type is <type>"`,
		}}, `"type is EC2 Instance State-change Notification"`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := string(c.target.input(rule, event, tree.(map[string]any))); got != c.want {
				t.Errorf("input = %s\nwant    %s", got, c.want)
			}
		})
	}
}

func TestRules_OverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &target{}

		s := New(to.deliver)
		defer s.Close()

		c := client(s)
		if _, err := c.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("bad"),
			EventPattern: aws.String(`{"source":"aws.s3"}`)}); code(err) != "InvalidEventPatternException" ||
			!strings.Contains(err.Error(), `"source" must be an object or an array`) {
			t.Errorf("invalid pattern: %v", err)
		}

		if _, err := c.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("alarms"),
			EventPattern: aws.String(anyEvent)}); err != nil {
			t.Fatal(err)
		}

		put := func(target types.Target) error {
			_, err := c.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: aws.String("alarms"),
				Targets: []types.Target{target}})

			return err
		}
		if err := put(types.Target{Id: aws.String("m"),
			Arn: aws.String(machine)}); code(err) != "ValidationException" {
			t.Errorf("state machine without a role: %v", err)
		}

		if err := put(types.Target{Id: aws.String("f"), Arn: aws.String(function),
			Input: aws.String("{")}); code(err) != "ValidationException" {
			t.Errorf("input that is not JSON: %v", err)
		}

		if err := put(types.Target{Id: aws.String("f"), Arn: aws.String(function),
			Input: aws.String(`{"x":1}`)}); err != nil {
			t.Fatal(err)
		}

		s.Emit("aws.cloudwatch", "CloudWatch Alarm State Change", nil, struct{}{})
		synctest.Wait()

		if !slices.Equal(to.seen(), []string{function + `  {"x":1}`}) {
			t.Errorf("calls = %q", to.seen())
		}

		rules, err := c.ListRules(t.Context(), &eventbridge.ListRulesInput{NamePrefix: aws.String("al")})
		if err != nil || len(
			rules.Rules) != 1 || *rules.Rules[0].Arn != "arn:aws:events:us-east-1:123456789012:rule/alarms" {
			t.Errorf("ListRules = %+v, %v", rules, err)
		}

		targets, err := c.ListTargetsByRule(t.Context(),
			&eventbridge.ListTargetsByRuleInput{Rule: aws.String("alarms")})
		if err != nil || len(targets.Targets) != 1 || *targets.Targets[0].Arn != function {
			t.Errorf("ListTargetsByRule = %+v, %v", targets, err)
		}

		if rule, err := c.DescribeRule(t.Context(),
			&eventbridge.DescribeRuleInput{Name: aws.String("alarms")}); err != nil ||
			*rule.EventPattern != anyEvent || rule.State != types.RuleStateEnabled {
			t.Errorf("DescribeRule = %+v, %v", rule, err)
		}

		if _, err := c.DescribeRule(t.Context(), &eventbridge.DescribeRuleInput{Name: aws.String("gone")}); code(err) != "ResourceNotFoundException" {
			t.Errorf("unknown rule: %v", err)
		}
	})
}

// pass advances virtual time and waits for everything that is due.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
