// Package bus announces every transition of a release on the event bus, so that Slack, e-mail or a
// pager need only a rule.
package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"

	"lockstep/functions/internal/aws/awserr"
	"lockstep/statemachine"
)

// textLimit bounds each free text, in bytes. An event takes 256 KB, and JSON may escape a byte as
// six.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
const textLimit = 8 << 10

type api interface {
	PutEvents(context.Context, *eventbridge.PutEventsInput,
		...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

// Bus is the event bus.
type Bus struct {
	client api
	name   string
}

// New opens the bus.
func New(client *eventbridge.Client, bus string) *Bus { return &Bus{client, bus} }

// Announce puts a transition on the bus. It may announce one twice: EventBridge itself delivers at
// least once. A text longer than textLimit is cut. Its errors are those of awserr.Wrap.
func (b *Bus) Announce(ctx context.Context, change statemachine.StateChange) error {
	for _, text := range []*string{&change.Text, &change.Cause.Text, &change.Hotfix,
		&change.Notice.Why, &change.Notice.Done} {
		*text = shorten(*text)
	}

	detail, err := json.Marshal(change)
	if err != nil {
		return fmt.Errorf("announce %s of %s: %w", change.State, change.Release, err)
	}

	entry := types.PutEventsRequestEntry{
		EventBusName: &b.name,
		Source:       aws.String(statemachine.Source),
		DetailType:   aws.String(statemachine.DetailStateChange),
		Detail:       aws.String(string(detail)),
	}
	if change.Execution != "" {
		entry.Resources = []string{change.Execution}
	}

	entries := []types.PutEventsRequestEntry{entry}

	out, err := b.client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
	if err == nil && out.FailedEntryCount > 0 { // a call that succeeds can still refuse its entries
		err = refusal(out.Entries)
	}

	return awserr.Wrap(err, "announce %s of %s on bus %s", change.State, change.Release, b.name)
}

// refusal is the error for an entry that EventBridge refused.
func refusal(entries []types.PutEventsResultEntry) error {
	for _, e := range entries {
		if e.ErrorCode != nil {
			return &smithy.GenericAPIError{Code: *e.ErrorCode, Message: aws.ToString(e.ErrorMessage)}
		}
	}

	return fmt.Errorf("refused without a reason")
}

func shorten(text string) string {
	if len(text) <= textLimit {
		return text
	}

	return strings.ToValidUTF8(text[:textLimit], "") + " ..."
}
