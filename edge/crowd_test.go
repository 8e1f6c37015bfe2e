package edge_test

import (
	"crypto/md5"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const viewers = 1_000_000

// viewer is the id of the nth viewer, in the form that is cut from CloudFront's request ids.
func viewer(n int) string { return fmt.Sprintf("%012x", uint64(n)*0x9E3779B97F4A7C15>>16) }

// crowd is all viewers at once. The shipped file decides for each of them under Node, the fastest
// of the engines.
type crowd struct {
	*testing.T
	node      *exec.Cmd
	asks      io.Writer
	answers   io.Reader
	complains strings.Builder
}

// ask is what a viewer meets: a route, by its place in the crowd's, and the environment that their
// cookie names, 0 where they have none. Who stays away asks nothing.
type ask struct {
	route int
	page  byte
	stays bool
}

const (
	document = 'd'
	asset    = 's'
)

//go:embed testdata/crowd.js
var crowdScript string

// gather makes a crowd for a list of routes.
func gather(t *testing.T, routes []route) *crowd {
	t.Helper()
	node, _ := lambdaEdge(t)
	dir := t.TempDir()
	write := func(name string, content []byte) {
		t.Helper()

		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	ids := make([]byte, 0, 12*viewers)
	for n := range viewers {
		ids = append(ids, viewer(n)...)
	}

	write("ids", ids)

	hashed := map[string]bool{}
	for _, r := range routes {
		if hashed[r.Release] {
			continue
		}

		hashed[r.Release] = true

		hashes := make([]byte, 0, 4*viewers)
		for n := range viewers {
			sum := md5.Sum(append(append([]byte{}, ids[12*n:12*n+12]...), "."+r.Release...))
			hashes = append(hashes, sum[:4]...)
		}

		write("hashes-"+r.Release, hashes)
	}

	data, err := json.Marshal(routes)
	if err != nil {
		t.Fatal(err)
	}

	write("routes.json", data)
	write("main.mjs", []byte(shipped(t)+crowdScript))

	if err := os.MkdirAll(filepath.Join(dir, "node_modules", "cloudfront"), 0o700); err != nil {
		t.Fatal(err)
	}

	write("node_modules/cloudfront/index.js", nil)

	c := &crowd{T: t, node: exec.CommandContext(t.Context(), node, "main.mjs")}

	c.node.Dir, c.node.Stderr = dir, &c.complains
	if c.asks, err = c.node.StdinPipe(); err != nil {
		t.Fatal(err)
	}

	if c.answers, err = c.node.StdoutPipe(); err != nil {
		t.Fatal(err)
	}

	if err := c.node.Start(); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = c.node.Wait() }) // it was ended with the test

	return c
}

// round returns the environment that serves each viewer; 0 for viewers without a request.
func (c *crowd) round(kind byte, of func(n int) ask) []byte {
	c.Helper()

	asks := make([]byte, 4*viewers)
	for n := range viewers {
		if a := of(n); !a.stays {
			binary.LittleEndian.PutUint16(asks[4*n:], uint16(a.route))
			asks[4*n+2], asks[4*n+3] = a.page, kind
		}
	}

	answers := make([]byte, viewers)

	_, err := c.asks.Write(asks)
	if err == nil {
		_, err = io.ReadFull(c.answers, answers)
	}

	if err != nil {
		_ = c.node.Wait() // then all that it complained of is here
		c.Fatalf("ask the file that ships: %v\n%s", err, &c.complains)
	}

	return answers
}

// open lets all viewers open a page. New and moved viewers reload it at once and must not move
// again.
func (c *crowd) open(of func(n int) ask) []byte {
	c.Helper()
	pages := c.round(document, of)

	again := c.round(document, func(n int) ask {
		a := of(n)
		return ask{a.route, pages[n], a.stays || a.page == pages[n]}
	})
	for n, page := range again {
		if page != 0 && page != pages[n] {
			c.Fatalf("viewer %d: a reload goes from %c to %c", n, pages[n], page)
		}
	}

	return pages
}
