package schedule

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/scheduler"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/scheduler"
	"lockstep/statemachine"
)

type delivered struct {
	at          time.Time
	target      string
	token, text string
}

func open(t *testing.T) (s *Scheduler, service *scheduler.Service, got *[]delivered) {
	got = new([]delivered)
	service = scheduler.New(func(_ context.Context, target, role string, input []byte) error {
		var in struct{ TaskToken, Output string }
		if err := json.Unmarshal(input, &in); err != nil {
			t.Errorf("delivered %s: %v", input, err)
		}

		*got = append(*got, delivered{time.Now(), target, in.TaskToken, in.Output})

		return nil
	})
	t.Cleanup(service.Close)
	service.CreateGroup("lockstep-shop")
	endpoint := cloud.NewEndpoint(map[string]http.Handler{"scheduler": service})

	return New(sdk.NewFromConfig(endpoint.Config()), statemachine.Schedules{
		Group: "lockstep-shop", Role: "arn:aws:iam::123456789012:role/lockstep-scheduler",
	}), service, got
}

func TestAt_SendsTheOutputOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, service, got := open(t)
		at := time.Now().Add(90*time.Second + 300*time.Millisecond)

		zone := time.FixedZone("west", -8*3600)
		for _, token := range []string{"old", "new"} { // a step that ran twice has a new token
			if err := s.At(t.Context(), "v2-step-1", at.In(zone), token,
				statemachine.Document{Release: "v2"}); err != nil {
				t.Fatal(err)
			}
		}

		time.Sleep(10 * time.Minute)
		synctest.Wait()

		if len(*got) != 1 {
			t.Fatalf("delivered %v, want one", *got)
		}

		d := (*got)[0]

		var doc statemachine.Document
		if err := json.Unmarshal([]byte(d.text), &doc); err != nil || doc.Release != "v2" {
			t.Errorf("output %s: %v", d.text, err)
		}

		if d.target != "arn:aws:scheduler:::aws-sdk:sfn:sendTaskSuccess" || d.token != "new" {
			t.Errorf("delivered %+v", d)
		}

		if d.at.Before(at) || d.at.After(at.Add(time.Minute)) {
			t.Errorf("came at %s, want not before %s and within a minute", d.at.UTC(), at.UTC())
		}

		if left := service.List(); len(left) != 0 {
			t.Errorf("the schedule is still there: %v", left)
		}
	})
}

func TestAt_TimeThatHasPassed_ComesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, got := open(t)
		if err := s.At(t.Context(), "late", time.Now().Add(-time.Hour), "token", nil); err != nil {
			t.Fatal(err)
		}

		time.Sleep(time.Minute)
		synctest.Wait()

		if len(*got) != 1 {
			t.Errorf("delivered %v, want one", *got)
		}
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, got := open(t)
		if err := s.At(t.Context(), "step", time.Now().Add(time.Minute), "token", nil); err != nil {
			t.Fatal(err)
		}

		for range 2 {
			if err := s.Cancel(t.Context(), "step"); err != nil {
				t.Error(err)
			}
		}

		time.Sleep(time.Hour)
		synctest.Wait()

		if len(*got) != 0 {
			t.Errorf("delivered %v after it was cancelled", *got)
		}
	})
}
