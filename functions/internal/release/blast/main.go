// Blast simulates good and bad releases under Lockstep's rules and under the published policies of
// its peers, in virtual time, and counts the calls that they harm. README.md has the results, and
// how to read them.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
)

func main() {
	seeds := flag.Int("seeds", 1000, "releases for each failure, rate and policy")
	readme := flag.String("readme", "", "replace the tables in this `file`; without it, print them")

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

// replace replaces what follows the marker line of the file with the tables.
func replace(file string, tables []byte) error {
	const begin = "<!-- what follows is generated -->\n"

	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("replace the tables: %w", err)
	}

	text, _, found := bytes.Cut(data, []byte(begin))
	if !found {
		return fmt.Errorf("%s: found no line %q, expected it before the tables", file, begin)
	}

	if err := os.WriteFile(file, append(append(text, begin...), tables...), 0o644); err != nil {
		return fmt.Errorf("replace the tables: %w", err)
	}

	return nil
}
