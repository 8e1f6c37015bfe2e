package functions_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

var (
	alone  = flag.Bool("alone", false, "play all seeds of TestSimulation in this process")
	counts = flag.String(
		"tally", "", "write what the seeds of TestSimulation amounted to into this `file`, as JSON")
)

// playInShares plays the seeds in as many processes as there are processors: within one, a seed
// needs a single processor to be the same run each time.
func playInShares(t *testing.T, from uint64, seeds int) (total tally) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}

	dir, processes := t.TempDir(), min(runtime.NumCPU(), seeds)

	var (
		mu      sync.Mutex
		playing sync.WaitGroup
	)

	for i := range processes {
		begin, end := i*seeds/processes, (i+1)*seeds/processes
		file := filepath.Join(dir, fmt.Sprint(i))
		share := exec.CommandContext(t.Context(), binary, "-test.run", "^TestSimulation$", "-alone",
			"-tally", file,
			"-from", fmt.Sprint(from+uint64(begin)), "-seeds", fmt.Sprint(end-begin), fmt.Sprintf("-first=%t", *first), "-test.timeout", left(t))

		playing.Go(func() {
			output, err := share.CombinedOutput()

			mu.Lock()
			defer mu.Unlock()

			if err != nil {
				t.Errorf("%s", output)
				return
			}

			var part tally

			data, err := os.ReadFile(file)
			if err == nil {
				err = json.Unmarshal(data, &part)
			}

			if err != nil {
				t.Errorf("what became of the seeds from %d on: %v\n%s", from+uint64(begin), err, output)
			}

			total.merge(part)
		})
	}

	playing.Wait()

	return total
}

// left is the time that the test has, as a flag.
func left(t *testing.T) string {
	deadline, limited := t.Deadline()
	if !limited {
		return "0"
	}

	return time.Until(deadline).Round(time.Second).String()
}
