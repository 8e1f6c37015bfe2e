package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const superuser = "lockstep"

// start makes a cluster in a new folder and runs the server on a free port of loopback.
func (b binaries) start(ctx context.Context, o Options) (_ *Server, err error) {
	base := reachable(b.as, absolute(o.Dir), os.TempDir())

	if err := os.MkdirAll(base, 0o755); err != nil {
		return nil, fmt.Errorf("make a folder for Postgres: %w", err)
	}

	dir, err := os.MkdirTemp(base, "lockstep-postgres-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for Postgres: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()

	password := rand.Text()
	if err := b.initialize(ctx, dir, password, o.Log); err != nil {
		return nil, err
	}

	// Another program may take the free port before the server does, so try again.
	for attempt := 0; ; attempt++ {
		port, err := freePort()
		if err != nil {
			return nil, err
		}

		u := &url.URL{
			Scheme: "postgres", User: url.UserPassword(superuser, password),
			Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
			Path: "/postgres", RawQuery: "sslmode=disable",
		}

		s, err := b.serve(ctx, dir, u, o.Log)
		if err == nil || attempt == 2 || ctx.Err() != nil {
			return s, err
		}
	}
}

func absolute(dir string) string {
	if dir == "" {
		return os.TempDir()
	}

	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}

	return dir
}

// initialize makes the cluster. The user that runs Postgres must own the folder.
func (b binaries) initialize(ctx context.Context, dir, password string, log io.Writer) error {
	pwfile := filepath.Join(dir, "password")
	if err := os.WriteFile(pwfile, []byte(password), 0o600); err != nil {
		return err
	}
	defer os.Remove(pwfile)

	if b.as != nil {
		for _, path := range []string{dir, pwfile} {
			if err := os.Chown(path, int(b.as.Uid), int(b.as.Gid)); err != nil {
				return fmt.Errorf("change the owner of %s to the user of Postgres: %w", path, err)
			}
		}
	}

	out, err := command(ctx, b.as, filepath.Join(b.dir, "initdb"),
		"--pgdata", filepath.Join(dir, "data"),
		"--username", superuser, "--pwfile", pwfile, "--auth", "scram-sha-256",
		"--encoding", "UTF8", "--locale", "C", "--no-sync").CombinedOutput()
	log.Write(out)

	if err != nil {
		return fmt.Errorf("initdb in %s: %w: %s", dir, err, firstLine(out))
	}

	return nil
}

// serve starts the server and waits until it answers. If the server is killed, it is started
// again, as on RDS.
func (b binaries) serve(
	ctx context.Context, dir string, u *url.URL, log io.Writer,
) (*Server, error) {
	port, tail := u.Port(), &tail{log: log}

	cmd, ended, err := b.launch(ctx, dir, port, tail)
	if err != nil {
		return nil, err
	}

	if err := answer(ctx, u.String(), ended); err != nil {
		err = fmt.Errorf("wait for Postgres on port %s: %w: %s", port, err, tail.last())
		return nil, errors.Join(err, end(cmd, ended))
	}

	s := &Server{url: u, place: Place{Folder: dir, URL: u.String()}}
	s.pid.Store(int64(cmd.Process.Pid))

	stopping, stopped := make(chan struct{}), make(chan error, 1)

	go func() {
		for {
			select {
			case <-stopping:
				stopped <- end(cmd, ended)
				return
			case <-ended:
			}

			select {
			case <-stopping:
				stopped <- nil
				return
			case <-time.After(100 * time.Millisecond): // its children release the shared memory
			}

			if again, over, err := b.launch(ctx, dir, port, tail); err == nil {
				cmd, ended = again, over
				s.pid.Store(int64(cmd.Process.Pid))
			}
		}
	}()

	s.stop = func() error {
		close(stopping)
		return <-stopped
	}

	return s, nil
}

func (b binaries) launch(
	ctx context.Context, dir, port string, log io.Writer,
) (*exec.Cmd, <-chan error, error) {
	// Without fsync, committed data survives a crash of the server, but not of the machine.
	cmd := command(context.WithoutCancel(ctx), b.as, filepath.Join(b.dir, "postgres"),
		"-D", filepath.Join(dir, "data"), "-p", port,
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "fsync=off", "-c", "full_page_writes=off",
		"-c", "max_connections=300")
	dieWithUs(cmd.SysProcAttr)
	cmd.Stdout, cmd.Stderr = log, log

	ended := make(chan error, 1)
	if err := run(cmd, ended); err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}

	return cmd, ended, nil
}

// run starts the command from a thread that lives as long as the command: Linux sends the
// parent-death signal when the thread ends, not the process.
func run(cmd *exec.Cmd, ended chan<- error) error {
	started := make(chan error)

	go func() {
		runtime.LockOSThread()

		defer runtime.UnlockOSThread()

		err := cmd.Start()
		started <- err

		if err == nil {
			ended <- cmd.Wait()

			close(ended)
		}
	}()

	return <-started
}

// end stops the server at once, without a clean shutdown: the next start recovers the data.
func end(cmd *exec.Cmd, ended <-chan error) error {
	_ = cmd.Process.Signal(syscall.SIGQUIT)

	select {
	case <-ended:
		return nil
	case <-time.After(10 * time.Second):
		return cmd.Process.Kill()
	}
}

// answer waits until the server answers.
func answer(ctx context.Context, url string, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()

	for {
		conn, err := pgx.Connect(ctx, url)
		if err == nil {
			return conn.Close(ctx)
		}

		select {
		case <-ended:
			return errors.New("the server ended")
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port for Postgres: %w", err)
	}
	defer l.Close()

	return l.Addr().(*net.TCPAddr).Port, nil
}

// tail passes the log on and keeps its last line for the error message.
type tail struct {
	log io.Writer
	mu  sync.Mutex
	end []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()

	if line := lastLine(p); line != "" {
		t.end = []byte(line)
	}

	return t.log.Write(p)
}

func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()

	return string(t.end)
}

func firstLine(out []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(out), []byte("\n"))
	return string(line)
}
