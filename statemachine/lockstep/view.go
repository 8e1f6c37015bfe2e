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

// view shows a status, and another one after it.
type view interface {
	status(status) error
	close()
}

// once prints a status as a person reads it.
type once struct {
	out   io.Writer
	paint paint
}

func (v *once) status(st status) error {
	_, err := io.WriteString(v.out, strings.Join(render(st, time.Now(), v.paint, 12), "\n")+"\n")
	return err
}

func (v *once) close() {}

// jsonView prints a status as JSON, and another one only where something changed.
type jsonView struct {
	out  *json.Encoder
	last status
}

func (v *jsonView) status(st status) error {
	if reflect.DeepEqual(st, v.last) {
		return nil
	}

	v.last = st

	return v.out.Encode(st)
}

func (v *jsonView) close() {}

// lines prints what happens, a line each: for logs.
type lines struct {
	out     io.Writer
	release string
	told    int
}

func (v *lines) status(st status) error {
	if st.Release != v.release {
		v.release, v.told = st.Release, 0
	}

	for _, e := range st.Story[min(v.told, len(st.Story)):] {
		if _, err := fmt.Fprintf(v.out, "%s  %s\n", st.Release, line(e)); err != nil {
			return err
		}
	}

	v.told = len(st.Story)

	return nil
}

func (v *lines) close() {}

// screen draws each status over the last one, on a screen of its own, and leaves the last one
// behind.
type screen struct {
	out  io.Writer
	last status
	any  bool
}

func newScreen(out io.Writer) *screen {
	// Its own screen, no cursor, and long lines are cut instead of wrapped.
	_, _ = io.WriteString(out, "\x1b[?1049h\x1b[?25l\x1b[?7l")
	return &screen{out: out}
}

func (v *screen) status(st status) error {
	v.last, v.any = st, true
	rows := render(st, time.Now(), os.Getenv("NO_COLOR") == "", 12)
	rows = append(rows, "", "Ctrl-C ends the watch, not the release")
	_, err := io.WriteString(v.out, "\x1b[H"+strings.Join(rows, "\x1b[K\r\n")+"\x1b[K\x1b[J")

	return err
}

func (v *screen) close() {
	_, _ = io.WriteString(v.out, "\x1b[?7h\x1b[?25h\x1b[?1049l")
	if v.any {
		_ = (&once{out: v.out, paint: os.Getenv("NO_COLOR") == ""}).status(v.last)
	}
}

// line is an entry of the story.
func line(e statemachine.Event) string {
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
