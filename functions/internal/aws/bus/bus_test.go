package bus

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/events"
	"lockstep/statemachine"
)

func TestAnnounce(t *testing.T) {
	service := events.New(nil)
	defer service.Close()

	service.CreateBus("shop")

	var got []events.Event

	defer service.Subscribe("shop", func(e events.Event) { got = append(got, e) })()

	b := New(sdk.NewFromConfig(cloud.NewEndpoint(map[string]http.Handler{"events": service}).Config()),
		"shop")

	change := statemachine.StateChange{
		App: "shop", Release: "v2", Execution: "arn:aws:states:us-east-1:123456789012:execution:shop:v2",
		// longer than an event, and escaped
		State: statemachine.Rollback, Text: "back to v1", Cause: statemachine.Cause{Text: strings.Repeat("\x01", 300<<10)},
	}
	if err := b.Announce(t.Context(), change); err != nil {
		t.Fatal(err)
	}

	if len(got) != 1 {
		t.Fatalf("got %d events, want 1", len(got))
	}

	e := got[0]
	if e.Source != "lockstep" || e.DetailType != "Release State Change" || len(e.Resources) != 1 ||
		e.Resources[0] != change.Execution {
		t.Errorf("got %s, %s, %v", e.Source, e.DetailType, e.Resources)
	}

	var detail statemachine.StateChange
	if err := json.Unmarshal(e.Detail, &detail); err != nil || detail.Text != "back to v1" ||
		!strings.HasSuffix(detail.Cause.Text, " ...") {
		t.Errorf("got detail of %d bytes, %v", len(e.Detail), err)
	}
}

type refusing struct{ code *string }

func (r refusing) PutEvents(context.Context, *sdk.PutEventsInput,
	...func(*sdk.Options)) (*sdk.PutEventsOutput, error) {
	return &sdk.PutEventsOutput{FailedEntryCount: 1,
		Entries: []types.PutEventsResultEntry{{ErrorCode: r.code}}}, nil
}

func TestAnnounce_RefusedEntry(t *testing.T) {
	code := func(s string) *string { return &s }
	for want, r := range map[string]refusing{
		statemachine.Throttled: {code("ThrottlingException")},
		"":                     {nil},
	} {
		err := (&Bus{r, "shop"}).Announce(t.Context(),
			statemachine.StateChange{Release: "v2", State: statemachine.Ramp})
		if err == nil || statemachine.Name(err) != want {
			t.Errorf("got %v, want an error named %q", err, want)
		}
	}
}
