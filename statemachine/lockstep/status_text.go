package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"lockstep/statemachine"
)

// paint says whether text is colored, for a terminal.
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

// shownEvents is how many of the newest events fit on a screen beside the rest.
const shownEvents = 12

// statusRows is the status as a person reads it: the release and its state, the ramp, the verdict,
// the environments, the queue, and the newest events.
func statusRows(st status, now time.Time, p paint) []string {
	if st.Release == "" {
		rows := []string{p.in(bold, st.App) + "  no release yet"}
		return append(append(rows, freezeRows(st, p)...), environmentRows(st, p)...)
	}

	rows := []string{fmt.Sprintf("%s  %s  %s%s", p.in(bold, st.App), p.in(bold, st.Release),
		stateText(st, p), p.in(dim, durationText(st, now)))}
	rows = append(rows, releaseRows(st, now, p)...)
	rows = append(rows, environmentRows(st, p)...)

	if st.Preview {
		rows = append(rows, row(p, "preview", "open to testers: lockstep preview prints the link"))
	}

	for _, e := range st.Queue {
		rows = append(rows, row(p, "queued", fmt.Sprintf("%s, since %s", e.Release,
			e.Since.Local().Format(time.TimeOnly))))
	}

	if len(st.Events) > 0 {
		rows = append(rows, "")
	}

	for _, e := range st.Events[max(0, len(st.Events)-shownEvents):] {
		rows = append(rows, eventLine(e))
	}

	return rows
}

// releaseRows is why the release stands where it does.
func releaseRows(st status, now time.Time, p paint) (rows []string) {
	if st.Cause != "" {
		rows = append(rows, row(p, "cause", strings.Join(strings.Fields(st.Cause), " ")))
	}

	if len(st.Ramp) > 0 || st.Weight > 0 {
		rows = append(rows, row(p, "ramp", rampText(st, now, p)))
	}

	if st.Hotfix != "" {
		rows = append(rows, row(p, "hotfix", st.Hotfix))
	}

	if st.Held != nil {
		rows = append(rows, row(p, "held", p.in(yellow, st.Held.Why)+"; "+commandsFor(st.Held.By)))
	}

	rows = append(rows, freezeRows(st, p)...)
	if st.Verdict != "" {
		rows = append(rows, row(p, "verdict", st.Verdict))
	}

	return rows
}

// commandsFor lists the commands that end a hold.
func commandsFor(by statemachine.HeldBy) string {
	switch by {
	case statemachine.HeldByOperator, statemachine.HeldByVerdict:
		return "lockstep resume, advance, promote or rollback"
	case statemachine.HeldByApproval:
		return "lockstep approve or rollback"
	case statemachine.HeldByDrain:
		return "lockstep contract or rollback"
	case statemachine.HeldByFreeze:
		return "lockstep unfreeze or rollback"
	}

	return "lockstep advance or rollback"
}

// holds says of each hold what the release waits for.
var holds = map[statemachine.HeldBy]string{
	statemachine.HeldByOperator: "paused",
	statemachine.HeldByVerdict:  "inconclusive",
	statemachine.HeldByApproval: "waits for an approval",
	statemachine.HeldByWindow:   "outside its windows",
	statemachine.HeldByFreeze:   "frozen",
	statemachine.HeldByDrain:    "held before contract",
}

func freezeRows(st status, p paint) []string {
	if st.Frozen == "" {
		return nil
	}

	return []string{row(p, "frozen", p.in(yellow, st.Frozen)+"; lockstep unfreeze")}
}

func row(p paint, label, text string) string { return p.in(dim, fmt.Sprintf("%-9s", label)) + text }

func stateText(st status, p paint) string {
	switch st.Outcome {
	case statemachine.Released:
		return p.in(green, st.Outcome.String())
	case statemachine.RolledBack:
		return p.in(red, st.Outcome.String())
	case statemachine.Superseded, statemachine.Refused:
		return p.in(yellow, st.Outcome.String())
	}

	text := cmp.Or(string(st.State), "Begin")

	switch {
	case st.Held != nil:
		return p.in(yellow, text+", "+cmp.Or(holds[st.Held.By], "held"))
	case st.Paused:
		return p.in(yellow, text+", paused")
	case st.Waits:
		return p.in(yellow, "queued")
	case !st.UnderWay:
		return p.in(red, text+", but no execution holds its lease; run lockstep doctor")
	}

	return p.in(bold, text)
}

func durationText(st status, now time.Time) string {
	switch {
	case st.Began == nil:
		return ""
	case st.Ended != nil:
		return fmt.Sprintf("  after %s, at %s", st.Ended.Sub(*st.Began).Round(time.Second),
			st.Ended.Local().Format(time.TimeOnly))
	}

	return fmt.Sprintf("  for %s", now.Sub(*st.Began).Round(time.Second))
}

// rampText marks the step that the weight has reached; a ramp by harm budget has no steps.
func rampText(st status, now time.Time, p paint) string {
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
	// after the promotion active is the other environment, unless the release is rolled back
	if st.Promoted && st.Ended == nil && st.Cause == "" {
		has = "everyone has " + st.Release
	}

	text := strings.TrimSpace(strings.Join(steps, "  ") + "   " + has)
	if st.BakeUntil != nil && !st.Paused && st.Held == nil {
		text += fmt.Sprintf(", bakes until %s", st.BakeUntil.Local().Format(time.TimeOnly))
		if left := st.BakeUntil.Sub(now).Round(time.Second); left > 0 {
			text += fmt.Sprintf(" (%s left)", left)
		}
	}

	return text
}

func percent(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) + " %" }

func environmentRows(st status, p paint) []string {
	var rows []string

	for _, env := range statemachine.Environments() {
		state, found := st.Environments[env]
		if !found {
			continue
		}

		text := fmt.Sprintf("%-9s %s", state.Role, cmp.Or(state.Release, "no release yet"))
		if !state.InSync && state.Release != "" {
			text += p.in(yellow, ", out of sync")
		}

		rows = append(rows, row(p, string(env), text))
	}

	return rows
}
