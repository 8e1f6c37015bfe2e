package postgres

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Place is where a server has its data and its address: what a later process needs to continue.
type Place struct {
	Folder string `json:",omitempty"` // empty for a database on a borrowed server
	URL    string
	Given  string `json:",omitempty"` // the URL of the borrowed server
}

// Remove removes the data, after it has ended a server that still uses it.
func (p Place) Remove(ctx context.Context) error {
	if p.Folder == "" {
		return p.drop(ctx)
	}

	if err := p.endOrphan(ctx); err != nil {
		return err
	}

	return os.RemoveAll(p.Folder)
}

// again serves the data that an earlier process left. It first ends the server of that process, if
// it still runs.
func (b binaries) again(ctx context.Context, p Place, log io.Writer) (*Server, error) {
	u, err := url.Parse(p.URL)
	if err != nil {
		return nil, fmt.Errorf("parse the saved address of the Postgres in %s: it is not a URL", p.Folder)
	}

	if err := p.endOrphan(ctx); err != nil {
		return nil, err
	}

	// A server that is stopping still uses the folder and the port for a moment.
	for attempt := 0; ; attempt++ {
		s, err := b.serve(ctx, p.Folder, u, log)
		if err == nil || attempt == 20 || ctx.Err() != nil {
			return s, err
		}

		time.Sleep(500 * time.Millisecond)
	}
}

// endOrphan ends a server that outlived the process that started it. It recognises the server by
// its password and its folder.
func (p Place) endOrphan(ctx context.Context) error {
	data := filepath.Join(p.Folder, "data")

	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()

	conn, err := pgx.Connect(ctx, p.URL)
	if err != nil {
		return nil // no server, or another one
	}
	defer conn.Close(ctx)

	var serves string
	if err := conn.QueryRow(ctx, "SHOW data_directory").Scan(&serves); err != nil || serves != data {
		return nil
	}

	file, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return fmt.Errorf("end the Postgres that was left running: %w", err)
	}

	first, _, _ := strings.Cut(string(file), "\n")

	pid, err := strconv.Atoi(first)
	if err != nil || pid <= 1 {
		return fmt.Errorf("end the Postgres that was left running: "+
			"%s/postmaster.pid begins with %q, expected the id of a process", data, first)
	}

	if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil {
		return fmt.Errorf("end the Postgres that was left running, process %d: %w", pid, err)
	}

	for ; syscall.Kill(pid, 0) == nil; time.Sleep(20 * time.Millisecond) {
		if ctx.Err() != nil {
			return fmt.Errorf("end the Postgres that was left running: process %d does not end", pid)
		}
	}

	return nil
}
