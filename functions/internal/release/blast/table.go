package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// tooMany is the share of good releases that a policy may roll back to be compared with: a policy
// that never releases anything harms nobody.
const tooMany = 0.05

// best is the peer with the lowest mean harm, of those that roll back at most tooMany good
// releases at that rate.
func best(all []measured, f fault, rate float64) (peer measured, found bool) {
	for _, m := range all {
		if m.fault.name != f.name || m.rate != rate || m.policy == "Lockstep" ||
			find(all, m.policy, good, rate).falsely() > tooMany {
			continue
		}

		if !found || m.mean() < peer.mean() {
			peer, found = m, true
		}
	}

	return peer, found
}

func find(all []measured, policy, fault string, rate float64) measured {
	for _, m := range all {
		if m.policy == policy && m.fault.name == fault && m.rate == rate {
			return m
		}
	}

	return measured{}
}

// headline writes the comparison with the best peer, and the table of good releases.
func headline(w io.Writer, all []measured) {
	for _, rate := range rates {
		fmt.Fprintf(w, "\n**%g requests a second**\n\n", rate)
		fmt.Fprintln(w,
			"| failure | Lockstep harms | bound | best peer harms | Lockstep/peer | the peer |")
		fmt.Fprintln(w, "| --- | --: | --: | --: | --: | --- |")

		for _, f := range faults {
			if f.harmless() {
				continue
			}

			ours := find(all, "Lockstep", f.name, rate)

			peer, found := best(all, f, rate)
			if !found {
				continue
			}

			fmt.Fprintf(w, "| %s | %s | %s | %s | %.2g | %s |\n", f.name, number(ours.mean()),
				number(bound(f, rate)), number(peer.mean()), ours.mean()/peer.mean(), peer.policy)
		}
	}

	fmt.Fprintln(w, "\n**Good releases**\n\n| policy | rolled back at "+
		each(func(r float64) string { return fmt.Sprintf("%g/s", r) })+
		" | in an outage of both | takes at "+
		each(func(r float64) string { return fmt.Sprintf("%g/s", r) })+
		" (median, longest) |\n| --- | --: | --: | --: |")

	for _, m := range all[:len(all)/len(rates)/len(faults)] {
		fmt.Fprintf(w, "| %s | %s | %s | %s |\n", m.policy,
			each(func(r float64) string { return percent(find(all, m.policy, good, r).falsely()) }),
			each(func(r float64) string { return percent(find(all, m.policy, outage, r).falsely()) }),
			each(func(r float64) string {
				took := find(all, m.policy, good, r).took
				return minutes(quantile(took, 0.5)) + " (" + minutes(quantile(took, 1)) + ")"
			}))
	}
}

// each is the value at each rate, for one cell of a table.
func each(f func(rate float64) string) string {
	var list []string
	for _, r := range rates {
		list = append(list, f(r))
	}

	return strings.Join(list, ", ")
}

// details writes the table of everything, a line for each failure, rate and policy.
func details(w io.Writer, all []measured) {
	fmt.Fprintln(w, "| requests/s | failure | policy | harmed: mean | median | 95 % | safe after | "+
		"missed | rolled back before anything was wrong |")
	fmt.Fprintln(w, "| --: | --- | --- | --: | --: | --: | --: | --: | --: |")

	for _, m := range all {
		if m.fault.harmless() {
			continue
		}

		safe := "never"
		if len(m.safe) > 0 {
			safe = minutes(quantile(m.safe, 0.5))
		}

		fmt.Fprintf(w, "| %g | %s | %s | %s | %s | %s | %s | %s | %s |\n", m.rate, m.fault.name, m.policy,
			number(m.mean()), number(quantile(m.harmed, 0.5)), number(quantile(m.harmed, 0.95)),
			safe, percent(m.missed()), percent(m.falsely()))
	}
}

func minutes(d time.Duration) string {
	if d == 0 {
		return "–"
	}

	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

func percent(share float64) string { return strconv.FormatFloat(100*share, 'g', 3, 64) + " %" }

// number writes a number with one digit after the point or, from 100 on, with three significant
// digits.
func number(x float64) string {
	if x < 100 {
		return strconv.FormatFloat(x, 'f', 1, 64)
	}

	scale := math.Pow(10, math.Max(0, math.Floor(math.Log10(x))-2))

	text := strconv.FormatFloat(math.Round(x/scale)*scale, 'f', 0, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}

	return text
}
