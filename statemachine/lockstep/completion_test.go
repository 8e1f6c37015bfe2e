package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const asCommand = "LOCKSTEP_TEST_AS_COMMAND"

// TestMain lets a shell run the test binary as the command.
func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}

	os.Exit(m.Run())
}

// Bash runs what complete -C says, with the line so far in COMP_LINE and COMP_POINT; fish completes
// a line without a terminal; of zsh, whose completion needs one, the test sees what it would run.
var drivers = map[string]string{
	"bash": `eval "$SCRIPT"
eval "words=($(complete -p lockstep))"
for i in "${!words[@]}"; do [ "${words[i]}" = -C ] && command=${words[i+1]}; done
export COMP_LINE=$LINE COMP_POINT=${#LINE}
eval "$command lockstep"`,
	"zsh": `compdef() { }
autoload() { }
bashcompinit() { }
complete() { command=$4 }
eval "$SCRIPT"
export COMP_LINE=$LINE COMP_POINT=${#LINE}
eval "$command lockstep"`,
	"fish": `eval "$SCRIPT"
complete -C "$LINE"`,
}

func TestCompletion(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}

	command := filepath.Join(t.TempDir(), "it's here", "lockstep")
	if err := os.Mkdir(filepath.Dir(command), 0o755); err != nil {
		t.Fatal(err)
	}

	if err := os.Symlink(binary, command); err != nil {
		t.Fatal(err)
	}

	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "dist"), 0o755); err != nil {
		t.Fatal(err)
	}

	for shell, driver := range drivers {
		path, err := exec.LookPath(shell)
		if err != nil && shell != "bash" {
			t.Logf("%s is not installed", shell)
			continue
		}

		for line, want := range map[string][]string{
			"lockstep st":            {"status"},
			"lockstep re":            {"release", "repair", "resume"},
			"lockstep status --w":    {"--watch"},
			"lockstep rollback --re": {"--reason", "--release"},
			"lockstep completion z":  {"zsh"},
			"lockstep release ":      {"dist/"},
			"lockstep release dist --": {"--app", "--bus", "--commit", "--help", "--hotfix", "--id",
				"--reason", "--sequence", "--state-bucket", "--version", "--wait"},
		} {
			c := exec.CommandContext(t.Context(), path, "-c", driver)
			c.Dir = dir

			c.Env = append(os.Environ(), asCommand+"=1", "LINE="+line,
				"SCRIPT="+completionScript(shell, command))

			out, err := c.CombinedOutput()
			got := slices.DeleteFunc(strings.Fields(string(out)),
				func(word string) bool { return word == "./" })
			slices.Sort(got)

			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %q completes to %q, expected %q: %v", shell, line, got, want, err)
			}
		}
	}
}

func TestCompletion_PrintsTheScript(t *testing.T) {
	for shell, want := range map[string]string{
		"bash": "complete -o default -C ", "zsh": "bashcompinit", "fish": "complete -f -c lockstep"} {
		if text := newAccount(t).expect(0, "completion", shell); !strings.Contains(text, want) {
			t.Errorf("%s: got %s", shell, text)
		}
	}

	newAccount(t).expect(exitRefused, "completion", "tcsh")
}
