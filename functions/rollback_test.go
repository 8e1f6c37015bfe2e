package functions_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"lockstep/infra/local/cloud/events"
	sm "lockstep/statemachine"
)

// A word that comes while Ramp is about to set the weight is not outrun by it.
func TestRollback_BeforeTheWeightIsSet(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.stalls(sm.Ramp, "DescribeKeyValueStore", "", 5*time.Second)
		w.second()
		w.reaches("Ramp")
		time.Sleep(time.Second)
		w.operator(sm.SignalRollback)
		w.ends("v2", sm.RolledBack)
		w.weighed("v2", 0)
		w.stands("a", "v1", "v1")
	})
}

// Nor is one that comes while Ramp or Promote stands still right before it writes the route.
func TestRollback_WhileTheRouteIsAboutToGrow(t *testing.T) {
	for _, task := range []sm.Task{sm.Ramp, sm.Promote} {
		t.Run(string(task), func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.stalls(task, "PutKey", "", 5*time.Minute)
				w.second()
				w.reaches(string(task))
				time.Sleep(15 * time.Second)
				w.operator(sm.SignalRollback)
				w.ends("v2", sm.RolledBack)

				if task == sm.Ramp {
					w.weighed("v2", 0)
				} else if said := w.said("v2", sm.Promote); len(said) > 0 {
					t.Errorf("said %q", said)
				}

				w.stands("a", "v1", "v1")
			})
		})
	}
}

func TestRollback_WhenAStepFails(t *testing.T) {
	for name, fails := range map[string]struct {
		in              sm.Task
		operation, path string
		way             string
	}{
		"Sync, at an alias": {sm.Sync, "UpdateAlias", "shop-orders", "Begin Sync"},
		"Sync, at a page":   {sm.Sync, "PutObject", "/shop-site-b/index.html", "Begin Sync"},
		"Deploy, at the code": {sm.Deploy, "UpdateFunctionCode", "shop-orders",
			"Begin Sync Expand Deploy"},
		"Deploy, at an alias": {sm.Deploy, "UpdateAlias", "shop-orders", "Begin Sync Expand Deploy"},
		"Deploy, at an asset": {sm.Deploy, "PutObject", "/shop-site-b/assets/",
			"Begin Sync Expand Deploy"},
		"Deploy, at the stage":  {sm.Deploy, "UpdateStage", "api-b", "Begin Sync Expand Deploy"},
		"Ramp, at the route":    {sm.Ramp, "PutKey", "", "Begin Sync Expand Deploy Probe Ramp"},
		"Ramp, at the schedule": {sm.Ramp, "CreateSchedule", "", "Begin Sync Expand Deploy Probe Ramp"},
		"CheckAlarms": {sm.CheckAlarms, "GetMetricData", "",
			"Begin Sync Expand Deploy Probe Ramp CheckAlarms"},
		"Promote, at the roles": {sm.Promote, "PutParameter", "", deployed + baked + baked + baked +
			"Promote"},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.refuses(fails.in, fails.operation, fails.path)
				w.second()
				w.ends("v2", sm.RolledBack)

				w.took("v2", fails.way+undone)
				w.stands("a", "v1", "v1")

				if cause := w.record("v2").Cause.Text; !regexp.MustCompile("not allowed, says the story|Forbidden|403").MatchString(cause) {
					t.Errorf("the record says %q, expected what AWS said", cause)
				}
			})
		})
	}
}

func TestRollback_WhenTheProbeFails(t *testing.T) {
	story(t, func(w *world) {
		w.live()
		w.breaks("v2", "catalog")
		w.second()
		w.ends("v2", sm.RolledBack)

		w.took("v2", strings.TrimSpace(deployed)+undone)
		w.weighed("v2", 0)
		w.stands("a", "v1", "v1")

		if seen := w.crowd.Report(); seen.Failed > 0 {
			t.Errorf("%d requests of viewers failed, though none was sent to v2", seen.Failed)
		}
	})
}

// A first release that fails leaves an environment that nobody is sent to, and the next one is as
// good as the first.
func TestRollback_OfTheFirst(t *testing.T) {
	story(t, func(w *world) {
		w.breaks("v1", "catalog")
		w.merge(w.release("v1", 1, everything))
		w.ends("v1", sm.RolledBack)
		w.stands("b", "?", "")

		w.merge(w.release("v2", 2, everything))
		w.ends("v2", sm.Released)
		w.viewersCome()
		w.took("v2", deployed+ended)
		w.stands("a", "v2", "")
	})
}

// However long the aliases take, the first second brings the API and the pages back, wherever an
// edge that has not heard of it still sends people.
func TestRollback_IsFast(t *testing.T) {
	story(t, func(w *world) {
		w.live()
		w.second()
		w.bakes("v2", 10000)
		time.Sleep(convergence)
		w.stalls(sm.Rollback, "UpdateAlias", "", 5*time.Minute)
		w.operator(sm.SignalRollback)
		time.Sleep(time.Second)

		page, api := w.get("/", "b.0123456789ab"), w.get("/api-b/orders", "")
		if got := page.Header.Get("x-amz-meta-lockstep-release"); got != "v1" {
			t.Errorf("a second later a viewer gets the page of %s", got)
		}

		if got := api.Header.Get("x-lockstep-release"); got != "v1" {
			t.Errorf("a second later a viewer in b gets the API of %s", got)
		}

		w.ends("v2", sm.RolledBack)
		w.took("v2", deployed+baked+baked+"Ramp"+undone)
		w.stands("a", "v1", "v1")
	})
}

func TestRollback_InDrain_BringsEveryoneBack(t *testing.T) {
	story(t, func(w *world) {
		w.live()
		w.second()
		w.reaches("OldTabsOpen")
		time.Sleep(20 * time.Second)
		w.operator(sm.SignalRollback)
		w.ends("v2", sm.RolledBack)

		w.took("v2", deployed+baked+baked+baked+"Promote Drain"+undone)
		w.weighed("v2", 500, 2500, 10000, 0, 0) // with the roles swapped, and swapped back
		w.stands("a", "v1", "v1")
	})
}

// A step that never answers is given up, and the record says so: Step Functions has no cause for a
// timeout.
func TestRollback_OfAStepThatHangs(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.stalls(sm.Probe, "HeadObject", "/shop-site-b/", 15*time.Minute+10*time.Second)
		w.second()
		w.ends("v2", sm.RolledBack)
		w.took("v2", strings.TrimSpace(deployed)+undone)

		if cause := w.record("v2").Cause.Text; cause != "States.Timeout" {
			t.Errorf("the record says %q", cause)
		}

		w.stands("a", "v1", "v1")
	})
}

// An alarm in drain comes from all the viewers there are.
func TestRollback_AlarmInDrain(t *testing.T) {
	story(t, func(w *world) {
		w.live()
		w.second()
		w.reaches("OldTabsOpen")
		w.breaks("v2", "orders")
		w.ends("v2", sm.RolledBack)
		w.stands("a", "v1", "v1")
	})
}

// Nobody waits on a token here: what is noted must be found by the next step.
func TestRollback_AlarmWhileNobodyWaits(t *testing.T) {
	for during, way := range map[sm.Task]string{
		sm.Sync:        "Begin Sync Expand",
		sm.Deploy:      deployed + "Ramp",
		sm.Probe:       deployed + "Ramp",
		sm.CheckAlarms: deployed + "Ramp CheckAlarms",
		sm.Promote:     deployed + baked + baked + baked + "Promote",
		sm.Contract:    deployed + baked + baked + baked + "Promote Drain Contract",
	} {
		t.Run(string(during), func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.before(during, func() {
					w.alarm("b", types.StateValueAlarm)
					time.Sleep(time.Second)
					w.alarm("b", types.StateValueOk)
					time.Sleep(time.Second)
				})
				w.second()
				w.ends("v2", sm.RolledBack)
				w.took("v2", way+undone)
				w.stands("a", "v1", "v1")
			})
		})
	}
}

// Where the alarm's event was lost, the next look at the metrics finds it.
func TestRollback_AlarmThatNobodyToldOf(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()

		if err := w.stack.Cloud.Events.PutRule(events.Rule{Name: "lockstep-shop-alarm", Disabled: true,
			Pattern: `{"source":["aws.cloudwatch"]}`}); err != nil {
			t.Fatal(err)
		}

		w.second()
		w.bakes("v2", 500)
		hush := w.keepsRinging("b", "5XXError")
		w.ends("v2", sm.RolledBack)
		hush()
		w.took("v2", deployed+baked+strings.TrimSpace(undone))
		w.stands("a", "v1", "v1")
	})
}

// Too late is too late: from contract on the new version stays.
func TestRollback_NotAfterContract(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.after(sm.Contract, func() {
			w.operator(sm.SignalRollback)
			time.Sleep(time.Second)
		})
		w.second()
		w.ends("v2", sm.Released)
		w.took("v2", good)
		w.stands("b", "v1", "v2")
	})
}

func TestAlarm_ThatRangBefore_DoesNotCount(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.judgesBy("Temperature", "b")
		hush := w.keepsRinging("b", "Temperature")

		time.Sleep(90 * time.Second)
		w.second()
		w.ends("v2", sm.Released)
		w.took("v2", good)
		hush()
		w.stands("b", "v1", "v2")
	})
}

func TestAlarm_ThatRangBefore_CountsWhenItRingsAnew(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.judgesBy("Temperature", "b")
		hush := w.keepsRinging("b", "Temperature")

		time.Sleep(90 * time.Second)
		w.second()
		w.bakes("v2", 500)
		hush()
		w.bakes("v2", 10000)
		w.alarm("b", types.StateValueAlarm)
		w.ends("v2", sm.RolledBack)
		w.took("v2", deployed+baked+baked+"Ramp"+undone)
		w.stands("a", "v1", "v1")
	})
}

// An alarm that does not count must not hide that the new version is worse than the old one.
func TestAlarm_ThatRangBefore_DoesNotHideABadVersion(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		hush := w.keepsRinging("b", "5XXError")

		time.Sleep(90 * time.Second)
		w.second()
		w.ends("v2", sm.RolledBack)
		hush()
		w.took("v2", deployed+baked+strings.TrimSpace(undone))
		w.stands("a", "v1", "v1")
	})
}

// The fallback's own trouble is not this release's doing.
func TestAlarm_OfTheFallback_DoesNotCount(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 2500)
		w.alarm("a", types.StateValueAlarm)
		w.ends("v2", sm.Released)
		w.took("v2", good)
		w.stands("b", "v1", "v2")
	})
}

// judgesBy makes the alarm of an environment watch something that has nothing to do with its calls.
func (w *world) judgesBy(metric string, e sm.Environment) {
	w.t.Helper()

	if err := w.stack.Cloud.Metrics.PutAlarm(&cloudwatch.PutMetricAlarmInput{
		AlarmName: sdk.String(app + "-" + string(e) +
			"-api-5xx"), Namespace: sdk.String("AWS/ApiGateway"), MetricName: &metric,
		Dimensions: []types.Dimension{{Name: sdk.String("ApiName"), Value: sdk.String(app)},
			{Name: sdk.String("Stage"), Value: sdk.String("api-" + string(e))}},
		Statistic: types.StatisticSum, Period: sdk.Int32(60), EvaluationPeriods: sdk.Int32(1), Threshold: sdk.Float64(1),
		ComparisonOperator: types.ComparisonOperatorGreaterThanOrEqualToThreshold, TreatMissingData: sdk.String("notBreaching"),
	}); err != nil {
		w.t.Fatal(err)
	}
}

// A database that is slow for everyone is no fault of the release; what is slow in its environment
// alone is.
func TestRollback_OfWhatIsSlow(t *testing.T) {
	for name, c := range map[string]struct {
		slow []sm.Environment
		ends sm.Outcome
	}{
		"in both":   {[]sm.Environment{sm.A, sm.B}, sm.Released},
		"in active": {[]sm.Environment{sm.B}, sm.RolledBack},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.quietlyLive()
				w.second()
				w.bakes("v2", 500)

				for range 20 {
					for _, e := range c.slow {
						w.measure(e, "Count", 30)
						w.measure(e, "Latency", 10_000)
					}

					time.Sleep(10 * time.Second)
				}

				w.ends("v2", c.ends)
			})
		})
	}
}

// keepsRinging measures what makes an environment's alarm ring, until it is hushed.
func (w *world) keepsRinging(e sm.Environment, metric string) (hush func()) {
	stop := make(chan struct{})

	go func() {
		for {
			w.measure(e, metric, 2)

			if metric == "5XXError" { // a call that failed is a call
				w.measure(e, "Count", 2)
			}

			select {
			case <-stop:
				return
			case <-time.After(20 * time.Second):
			}
		}
	}()

	return func() { close(stop) }
}
