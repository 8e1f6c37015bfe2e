package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"lockstep/statemachine"
)

// printer prints a status, and with --watch the ones that follow.
type printer interface {
	print(status) error
	close()
}

func newPrinter(s *session, c *statusCommand) printer {
	terminal := isTerminal(s.stdout)
	switch {
	case c.JSON:
		return &jsonPrinter{out: json.NewEncoder(s.stdout)}
	case c.Watch && terminal:
		return newScreenPrinter(s.stdout)
	case c.Watch:
		return &eventPrinter{out: s.stdout}
	}

	return &textPrinter{out: s.stdout, paint: paint(terminal && os.Getenv("NO_COLOR") == "")}
}

// textPrinter prints a status as a person reads it.
type textPrinter struct {
	out   io.Writer
	paint paint
}

func (p *textPrinter) print(st status) error {
	_, err := io.WriteString(p.out, strings.Join(statusRows(st, time.Now(), p.paint), "\n")+"\n")
	return err
}

func (p *textPrinter) close() {}

// jsonPrinter prints a status as JSON, and the next one only if it differs.
type jsonPrinter struct {
	out  *json.Encoder
	last status
}

func (p *jsonPrinter) print(st status) error {
	if reflect.DeepEqual(st, p.last) {
		return nil
	}

	p.last = st

	return p.out.Encode(st)
}

func (p *jsonPrinter) close() {}

// eventPrinter prints each event once, in a line of its own: for logs.
type eventPrinter struct {
	out     io.Writer
	release string
	printed int
}

func (p *eventPrinter) print(st status) error {
	if st.Release != p.release {
		p.release, p.printed = st.Release, 0
	}

	for _, e := range st.Events[min(p.printed, len(st.Events)):] {
		if _, err := fmt.Fprintf(p.out, "%s  %s\n", st.Release, eventLine(e)); err != nil {
			return err
		}
	}

	p.printed = len(st.Events)

	return nil
}

func (p *eventPrinter) close() {}

// screenPrinter draws each status over the last one, on the terminal's alternate screen, and leaves
// the last one behind.
type screenPrinter struct {
	out  io.Writer
	last status
	drew bool
}

func newScreenPrinter(out io.Writer) *screenPrinter {
	// The alternate screen, no cursor, and long lines are cut instead of wrapped.
	_, _ = io.WriteString(out, "\x1b[?1049h\x1b[?25l\x1b[?7l")
	return &screenPrinter{out: out}
}

func (p *screenPrinter) print(st status) error {
	p.last, p.drew = st, true
	rows := statusRows(st, time.Now(), os.Getenv("NO_COLOR") == "")
	rows = append(rows, "", "Ctrl-C ends the watch, not the release")
	_, err := io.WriteString(p.out, "\x1b[H"+strings.Join(rows, "\x1b[K\r\n")+"\x1b[K\x1b[J")

	return err
}

func (p *screenPrinter) close() {
	_, _ = io.WriteString(p.out, "\x1b[?7h\x1b[?25h\x1b[?1049l")
	if p.drew {
		_ = (&textPrinter{out: p.out, paint: os.Getenv("NO_COLOR") == ""}).print(p.last)
	}
}

// eventLine is an event in one line: the time of day, the state and the text.
func eventLine(e statemachine.Event) string {
	return fmt.Sprintf("%s  %-11s  %s", e.At.Local().Format(time.TimeOnly), e.State,
		strings.Join(strings.Fields(e.Text), " "))
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}

	info, err := file.Stat()

	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
