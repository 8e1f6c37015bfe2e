// Blast plays good and bad releases under Lockstep's rules and under the published policies of its
// peers, in virtual time, and counts whom they harm. README.md has what it found, and how to read
// it.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
)

func main() {
	seeds := flag.Int("seeds", 1000, "releases for each failure, rate and policy")
	readme := flag.String("readme", "", "the `file` whose tables are replaced; printed otherwise")

	flag.Parse()

	all := measure(append([]newPolicy{newLockstep}, peers...), *seeds)

	var tables bytes.Buffer
	headline(&tables, all)
	fmt.Fprintf(&tables, "\n<details><summary>Everything</summary>\n\n")
	details(&tables, all)
	fmt.Fprintf(&tables, "\n</details>\n")

	if *readme == "" {
		fmt.Print(tables.String())
		return
	}

	if err := replace(*readme, tables.Bytes()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// replace puts the tables below the line of the file that says that they begin.
func replace(file string, tables []byte) error {
	const begin = "<!-- what follows is generated -->\n"

	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("put the tables into the README: %w", err)
	}

	text, _, found := bytes.Cut(data, []byte(begin))
	if !found {
		return fmt.Errorf("%s: found no line %q, expected it where the tables go", file, begin)
	}

	if err := os.WriteFile(file, append(append(text, begin...), tables...), 0o644); err != nil {
		return fmt.Errorf("put the tables into the README: %w", err)
	}

	return nil
}
