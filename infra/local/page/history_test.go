package page

import (
	"strings"
	"testing"
)

func TestHistory_NamesTheWholeCauseOnce(t *testing.T) {
	v := viewOf(run.at(70))
	whole := 0

	for _, l := range v.Events {
		if strings.Contains(l.Text, "Threshold Crossed") {
			whole++
		}
	}

	if whole != 1 {
		t.Errorf("the history has the whole cause %d times, want once", whole)
	}

	if last := v.Events[0]; last.Text != "v3 is rolled back: alarm shop-a-errors" ||
		!strings.Contains(last.Full, "Threshold") {
		t.Errorf("the newest line: got %+v", last)
	}

	if v.Headline.Detail != "alarm shop-a-errors" || v.Headline.Full != ringing {
		t.Errorf("the headline: got %+v", v.Headline)
	}

	if p := v.Releases[0]; p.Brief != "alarm shop-a-errors" || p.Cause != ringing {
		t.Errorf("the release: got %+v", p)
	}
}
