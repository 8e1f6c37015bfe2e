// Bench counts the instructions that the router takes per request, beside those of a handler that
// does nothing and of three published designs, whose decision rules are written here from their
// descriptions. It prints the table of edge/README.md. Callgrind counts under njs, so the figures
// do not depend on the load of the machine.
package main

import (
	"fmt"
	"os"

	"lockstep/edge"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	shipped, err := edge.CloudFront(edge.Options{})
	if err != nil {
		return err
	}

	fmt.Printf("shipped: %d bytes (%d as written); CloudFront takes 10,240\n\n", len(shipped),
		len(edge.Router))
	fmt.Println("| instructions per request | document | first document | asset | response |")
	fmt.Println("| --- | ---: | ---: | ---: | ---: |")

	rows := []struct {
		name, handler string
		kinds         []kind
	}{
		{"nothing", design("nothing"), kinds()},
		{"**Lockstep**", shipped, kinds()},
		{"Lockstep, by the most hostile request", shipped, hostile()},
		{"random per request", design("random"), kinds()},
		{"pinned environment, three reads", design("pinned"), kinds()},
		{"path from the store", design("path"), kinds()},
	}
	for _, row := range rows {
		fmt.Printf("| %s |", row.name)

		for _, k := range row.kinds {
			n, err := perRequest(row.handler, k, 300, 1300)
			if err != nil {
				return err
			}

			fmt.Printf(" %s |", thousands(int(n+0.5)))
		}

		fmt.Println()
	}

	return nil
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}

	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
