package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"lockstep/statemachine"
)

// paint colors text for a terminal, or leaves it plain.
type paint bool

func (p paint) in(code, text string) string {
	if !p {
		return text
	}

	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

const (
	bold   = "1"
	dim    = "2"
	red    = "31;1"
	green  = "32;1"
	yellow = "33;1"
)

// render is the status in rows: the release and its state, the ramp, the verdict, the
// environments, who waits, and the last rows of the story.
func render(st status, now time.Time, p paint, story int) []string {
	if st.Release == "" {
		return append(append([]string{p.in(bold, st.App) + "  nothing was released yet"},
			frozen(st, p)...), environments(st, p)...)
	}

	rows := []string{fmt.Sprintf("%s  %s  %s%s", p.in(bold, st.App), p.in(bold, st.Release),
		state(st, p), p.in(dim, age(st, now)))}
	if st.Cause != "" {
		rows = append(rows, row(p, "cause", strings.Join(strings.Fields(st.Cause), " ")))
	}

	if len(st.Ramp) > 0 || st.Weight > 0 {
		rows = append(rows, row(p, "ramp", ramp(st, now, p)))
	}

	if st.Hotfix != "" {
		rows = append(rows, row(p, "hotfix", st.Hotfix))
	}

	if st.Held != nil {
		rows = append(rows, row(p, "held", p.in(yellow, st.Held.Why)+goesOn(st.Held)))
	}

	rows = append(rows, frozen(st, p)...)
	if st.Verdict != "" {
		rows = append(rows, row(p, "verdict", st.Verdict))
	}

	rows = append(rows, environments(st, p)...)
	if st.Preview {
		rows = append(rows, row(p, "preview", "open to testers: lockstep preview prints the link"))
	}

	for _, w := range st.Queue {
		rows = append(rows, row(p, "waits", fmt.Sprintf("%s, since %s", w.Release,
			w.Since.Local().Format(time.TimeOnly))))
	}

	if len(st.Story) > 0 {
		rows = append(rows, "")
	}

	for _, e := range st.Story[max(0, len(st.Story)-story):] {
		rows = append(rows, line(e))
	}

	return rows
}

// goesOn says what ends a hold.
func goesOn(h *statemachine.Held) string {
	switch h.By {
	case statemachine.HeldByOperator, statemachine.HeldByVerdict:
		return "; lockstep resume, advance, promote or rollback"
	case statemachine.HeldByApproval:
		return "; lockstep approve or rollback"
	case statemachine.HeldByDrain:
		return "; lockstep contract or rollback"
	case statemachine.HeldByFreeze:
		return "; lockstep unfreeze or rollback"
	}

	return "; lockstep advance or rollback"
}

func frozen(st status, p paint) []string {
	if st.Frozen == "" {
		return nil
	}

	return []string{row(p, "frozen", p.in(yellow, st.Frozen)+": nothing grows or begins")}
}

func row(p paint, label, text string) string { return p.in(dim, fmt.Sprintf("%-9s", label)) + text }

func state(st status, p paint) string {
	switch st.Outcome {
	case statemachine.Released:
		return p.in(green, st.Outcome.String())
	case statemachine.RolledBack:
		return p.in(red, st.Outcome.String())
	case statemachine.Superseded, statemachine.Refused:
		return p.in(yellow, st.Outcome.String())
	}

	text := cmp.Or(string(st.State), "Begin")
	if st.Held != nil {
		return p.in(yellow, text+", "+map[statemachine.HeldBy]string{
			statemachine.HeldByOperator: "paused", statemachine.HeldByVerdict: "without a verdict", statemachine.HeldByApproval: "waits for an approval",
			statemachine.HeldByWindow: "outside of its windows", statemachine.HeldByFreeze: "frozen", statemachine.HeldByDrain: "waits for the word to contract",
		}[st.Held.By])
	}

	if st.Paused {
		return p.in(yellow, text+", paused")
	}

	if st.Waits {
		return p.in(yellow, "waits for its turn")
	}

	if !st.UnderWay {
		return p.in(red, text+", but nobody is at it")
	}

	return p.in(bold, text)
}

func age(st status, now time.Time) string {
	switch {
	case st.Began == nil:
		return ""
	case st.Ended != nil:
		return fmt.Sprintf("  after %s, at %s", st.Ended.Sub(*st.Began).Round(time.Second),
			st.Ended.Local().Format(time.TimeOnly))
	}

	return fmt.Sprintf("  for %s", now.Sub(*st.Began).Round(time.Second))
}

// ramp marks the step that the weight has reached; a harm budget has none.
func ramp(st status, now time.Time, p paint) string {
	var steps []string

	for _, step := range st.Ramp {
		text := percent(step.Percent)
		switch {
		case st.UnderWay && step.Weight == st.Weight:
			text = p.in(green, "["+text+"]")
		case step.Weight > st.Weight:
			text = p.in(dim, text)
		}

		steps = append(steps, text)
	}

	has := "active has " + percent(float64(st.Weight)/100)
	// what was active is the fallback now, unless it is rolled back
	if st.Promoted && st.Ended == nil && st.Cause == "" {
		has = "everyone has " + st.Release
	}

	text := strings.TrimSpace(strings.Join(steps, "  ") + "   " + has)
	if st.BakeUntil != nil && !st.Paused && st.Held == nil {
		text += fmt.Sprintf(", watched until %s", st.BakeUntil.Local().Format(time.TimeOnly))
		if left := st.BakeUntil.Sub(now).Round(time.Second); left > 0 {
			text += fmt.Sprintf(" (%s more)", left)
		}
	}

	return text
}

func percent(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) + " %" }

func environments(st status, p paint) []string {
	var rows []string

	for _, env := range statemachine.Environments() {
		view, found := st.Environments[env]
		if !found {
			continue
		}

		text := fmt.Sprintf("%-9s %s", view.Role, cmp.Or(view.Release, "nothing yet"))
		if !view.Settled && view.Release != "" {
			text += p.in(yellow, ", being changed")
		}

		rows = append(rows, row(p, string(env), text))
	}

	return rows
}
