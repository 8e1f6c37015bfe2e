package page

import "testing"

func TestRampChart_PausesAreSpans(t *testing.T) {
	r := viewOf(run.at(22)).Ramp
	if len(r.Pauses) != 2 || r.Pauses[0].To == nil || !r.Pauses[0].To.Equal(run.time(18.5)) ||
		r.Pauses[1].To != nil {
		t.Errorf("got %+v, want one pause that ended and one that lasts", r.Pauses)
	}

	for at, want := range map[float64]int{27: 1, 40: 1} {
		promote := 0

		for _, m := range viewOf(run.at(at)).Ramp.Marks {
			if m.Kind == "promote" {
				promote++
			}
		}

		if promote != want {
			t.Errorf("at %g: promote is marked %d times, want once", at, promote)
		}
	}
}
