//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	sm "lockstep/statemachine"
)

// The whole run is killed in the middle of v2, as kill -9 does, and started again: v2 goes on and
// is released, v3 is undone, and nobody sees two versions at once.
func TestRun_KilledAndStartedAgain(t *testing.T) {
	if !*killed {
		t.Skip("only with -killed")
	}

	program := filepath.Join(t.TempDir(), "local")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	for name, line := range map[string]string{
		"while it migrates": "v2   Expand", "while it deploys": "v2   Deploy", "while it bakes": "v2   Ramp", "after the promotion": "v2   Drain",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "report.json")
			start := func() (*exec.Cmd, *bufio.Scanner) {
				run := exec.Command(program, "--once", "--port", "18479", "--views", "20", "--report", file)
				run.Stderr = t.Output()

				out, err := run.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}

				if err := run.Start(); err != nil {
					t.Fatal(err)
				}

				t.Cleanup(func() { _ = run.Process.Kill() })

				return run, bufio.NewScanner(io.TeeReader(out, t.Output()))
			}

			first, lines := start()
			for lines.Scan() && !strings.Contains(lines.Text(), line) {
			}

			time.Sleep(200 * time.Millisecond) // in the middle of it

			if err := first.Process.Signal(syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}

			_ = first.Wait()

			second, lines := start()

			goesOn := false
			for lines.Scan() {
				goesOn = goesOn || lines.Text() == "v2 is under way"
			}

			if err := second.Wait(); err != nil || !goesOn {
				t.Errorf("it ended with %v; that it goes on with v2 was told: %t", err, goesOn)
			}

			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}

			var told report
			if err := json.Unmarshal(data, &told); err != nil {
				t.Fatal(err)
			}

			if len(told.Releases) != 3 || told.Releases[1].Outcome != sm.Released ||
				told.Releases[2].Outcome != sm.RolledBack || told.Visitors.Mixed > 0 ||
				told.Visitors.PageViews == 0 {
				t.Errorf("found %+v", told)
			}

			if _, err := os.Stat(filepath.Join("..", "..", ".lockstep", "run-18479")); err == nil {
				t.Error("it left its folder")
			}
		})
	}
}
