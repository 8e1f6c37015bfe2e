package main

import (
	"io"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func TestHelp_HasAnExampleThatParses(t *testing.T) {
	var a arguments

	parser, err := newParser(&a, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}

	for _, command := range parser.Model.Children {
		lines := examples[command.Name]
		if len(lines) == 0 {
			t.Errorf("lockstep %s has no example", command.Name)
		}

		help := newAccount(t).expect(0, command.Name, "--help")
		for _, line := range lines {
			if !strings.Contains(help, "    "+line+"\n") {
				t.Errorf("lockstep %s --help does not show %q:\n%s", command.Name, line, help)
			}

			if command.Name != "completion" { // whose examples are lines of a shell
				parses(t, line)
			}
		}
	}
}

// parses reads an example as a shell splits it: at spaces, except between double quotes.
func parses(t *testing.T, line string) {
	t.Helper()

	var words []string

	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}

	parser, err := kong.New(&arguments{}, kong.Vars{"version": "", "bucket_help": "",
		"bucket_env": ""})
	if err != nil {
		t.Fatal(err)
	}

	if _, err := parser.Parse(words[1:]); err != nil || words[0] != "lockstep" {
		t.Errorf("%s: %v", line, err)
	}
}

func TestVersion(t *testing.T) {
	if text := newAccount(t).expect(0, "--version"); !strings.HasPrefix(text, "lockstep ") ||
		!strings.Contains(text, "commit ") || !strings.Contains(text, "go1.") {
		t.Errorf("got %s", text)
	}

	info := &debug.BuildInfo{Main: debug.Module{Version: "v0.0.0-2026"},
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "c0ffee"}, {Key: "vcs.modified", Value: "true"}}}
	for want, got := range map[string]string{
		"lockstep v1.2.3, commit c0ffee with local changes, go": describeBuild("v1.2.3", info),
		"lockstep v0.0.0-2026, commit c0ffee":                   describeBuild("", info),
		"lockstep (devel), commit unknown, go":                  describeBuild("", nil),
	} {
		if !strings.HasPrefix(got, want) {
			t.Errorf("got %q, expected %q", got, want)
		}
	}
}
