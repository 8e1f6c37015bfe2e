package functions_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	sm "lockstep/statemachine"
)

// mails are those that people get of a release, as infra writes them: whatever was announced twice
// is one.
func (c *chronicle) mails(release string) (list []string) {
	c.lock.Lock()
	defer c.lock.Unlock()

	for _, a := range c.announced {
		n := a.change.Notice

		text := fmt.Sprintf("%s\nWhere: %s\nWhy: %s\nDone: %s\n%s", a.change.Text, n.Where, n.Why, n.Done,
			n.Link)
		if a.change.Release == release && n.Notable && (len(list) == 0 || list[len(list)-1] != text) {
			list = append(list, text)
		}
	}

	return list
}

func TestNotice_OfARollback_SaysWhereWhyAndWhatWasDone(t *testing.T) {
	story(t, func(w *world) {
		w.live()
		w.second()
		w.bakes("v2", 2500)
		w.alarm("b", types.StateValueAlarm)
		w.ends("v2", sm.RolledBack)

		mails := w.mails("v2")
		if len(mails) != 4 {
			t.Fatalf("%d mails, expected of the begin, the rollback, everyone's being back, and the end:\n%s", len(mails), strings.Join(mails, "\n\n"))
		}

		for n, parts := range [][]string{
			{"v2 begins in b", "Where: before the ramp", "Why: as planned", "Done: nothing yet"},
			{"rolling back: ", "Where: 25 % of the viewers, in b", "Why: ", "alarm", "Done: nothing yet"},
			{"everyone is back on v1", "Where: 25 % of the viewers, in b", "alarm", "Done: nothing yet"},
			{"v2 is rolled back: ", "Where: 25 % of the viewers, in b", "alarm",
				"Done: everyone is back on v1"},
		} {
			parts = append(parts, "https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/v2/executions/details/arn:aws:states:us-east-1:")
			for _, part := range parts {
				if !strings.Contains(mails[n], part) {
					t.Errorf("mail %d lacks %q:\n%s", n+1, part, mails[n])
				}
			}
		}
	})
}

func TestNotice_OfAHold_IsOneMail(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		h := w.holds("v2", sm.HeldByWindow, 0)

		time.Sleep(time.Hour)

		mails := w.mails("v2")
		if len(mails) != 2 || !strings.Contains(mails[1], "Why: "+h.Why) {
			t.Errorf("got %d mails, expected of the begin and of the window:\n%s", len(mails),
				strings.Join(mails, "\n\n"))
		}
	}, windows(officeHours))
}
