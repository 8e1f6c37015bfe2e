package shop

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"lockstep/infra/local/postgres/postgrestest"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

// TestFunctions_EachReleaseOnEachSchema takes the database through the release of v2 and the
// failure of v3, and calls the functions of both versions at each stage of it.
func TestFunctions_EachReleaseOnEachSchema(t *testing.T) {
	s := newStage(t)

	s.migrate("v1", "expand", 1)
	s.expect("v1", "catalog", "GET", "", 200, `"slug":"kettle"`)
	s.expect("v1", "orders", "GET", "", 200, `"name":"Ada Lovelace"`)
	s.expect("v1", "orders", "POST", `{"product":2,"name":"Mary Somerville"}`, 200,
		"Thank you, Mary Somerville")
	s.expect("v1", "orders", "POST", `{"product":99,"name":"Mary Somerville"}`, 404, "no such product")
	s.expect("v1", "orders", "POST", `product=2`, 400, "not JSON")
	s.expect("v1", "orders", "POST", `{"name":"Mary Somerville"}`, 400, "product")
	s.expect("v1", "orders", "DELETE", "", 405, "")

	// Expanded: both sides write, and each reads what the other wrote.
	s.migrate("v2", "expand", 2)
	s.backfill("v2")
	s.expect("v2", "catalog", "GET", "", 200, `"sold":`)
	s.expect("v2", "orders", "GET", "", 200, `"firstName":"Mary","lastName":"Somerville"`)
	s.expect("v1", "orders", "POST", `{"product":3,"name":"Maria Sibylla Merian"}`, 200, "")
	s.expect("v2", "orders", "GET", "", 200, `"firstName":"Maria","lastName":"Sibylla Merian"`)
	s.expect("v2", "orders", "POST", `{"product":3,"firstName":"Sofia","lastName":"Kovalevskaya"}`,
		200, "Thank you, Sofia")
	s.expect("v1", "orders", "GET", "", 200, `"name":"Sofia Kovalevskaya"`)
	// A page that was open during a rollback sends the other release's form.
	s.expect("v1", "orders", "POST", `{"product":3,"firstName":"Lise","lastName":"Meitner"}`, 200,
		"Thank you, Lise Meitner")
	s.expect("v2", "orders", "POST", `{"product":3,"name":"Aspasia"}`, 200, "")
	s.expect("v1", "orders", "GET", "", 200, `"name":"Aspasia"`)

	s.migrate("v2", "contract", 2)
	s.expect("v2", "orders", "GET", "", 200, `"firstName":"Lise","lastName":"Meitner"`)
	s.expect("v2", "orders", "POST", `{"product":1}`, 200, "Thank you, Guest")

	// v3 looks healthy until somebody reads the orders often enough.
	s.migrate("v3", "expand", 3)
	s.expect("v3", "catalog", "GET", "", 200, `"slug":"kettle"`)
	s.expect("v3", "orders", "POST",
		`{"product":1,"firstName":"Lise","lastName":"Meitner","gift":true}`, 200, "")

	failed := 0

	for range 40 {
		switch status := s.call("v3", "orders", "GET", "").StatusCode; status {
		case 500:
			failed++
		case 200:
		default:
			t.Fatalf("v3's orders answer %d, want 200 or 500", status)
		}
	}

	if failed < 8 || failed == 40 {
		t.Errorf("%d of 40 calls of v3's orders failed, want a good part but not all", failed)
	}

	s.expect("v2", "orders", "GET", "", 200, `"firstName":"Lise"`)
	s.migrate("v3", "expand", 2)
	s.expect("v2", "orders", "GET", "", 200, `"firstName":"Lise"`)

	for release, orders := range map[string]int{"v1": 3, "v2": 3, "v3": 1} {
		s.counted(release, orders)
	}
}

// counted checks that the metrics in the log of a release's orders function match the orders that
// it took.
func (s *stage) counted(release string, orders int) {
	s.t.Helper()
	log := s.processes[filepath.Join(s.dirs[release], "functions", "orders", "bootstrap")].metrics

	for range orders {
		select {
		case got := <-log:
			if want := "Shop Orders map[Stage:api-b] 1 Count"; got != want {
				s.t.Errorf("%s counted %q, want %q", release, got, want)
			}
		case <-time.After(20 * time.Second):
			s.t.Fatalf("%s did not count all of its %d orders", release, orders)
		}
	}

	if len(log) > 0 {
		s.t.Errorf("%s counted more than its %d orders: %s", release, orders, <-log)
	}
}

// stage is a database, the bundles of all releases and their functions' processes.
type stage struct {
	t         *testing.T
	url       string
	secret    map[string]string // the variables by which a function finds it
	db        *sql.DB
	dirs      map[string]string
	processes map[string]*process
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t, url: postgrestest.Database(t), dirs: map[string]string{},
		processes: map[string]*process{}}
	s.secret = secretOf(t, s.url)

	var err error
	if s.db, err = sql.Open("pgx", s.url); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = s.db.Close() })

	for _, release := range Releases() {
		if s.dirs[release], err = Build(t.Context(), release, t.TempDir()); err != nil {
			t.Fatal(err)
		}
	}

	return s
}

// migrate takes a phase of a release's migrations to a version, up or down.
func (s *stage) migrate(release, phase string, version int64) {
	s.t.Helper()

	store, err := database.NewStore(database.DialectPostgres, "lockstep_"+phase)
	if err != nil {
		s.t.Fatal(err)
	}

	files, err := fs.Sub(os.DirFS(s.dirs[release]), "migrations/"+phase)
	if err != nil {
		s.t.Fatal(err)
	}

	provider, err := goose.NewProvider("", s.db, files, goose.WithStore(store),
		goose.WithDisableGlobalRegistry(true))
	if err != nil {
		s.t.Fatal(err)
	}

	if now, err := provider.GetDBVersion(s.t.Context()); err != nil {
		s.t.Fatal(err)
	} else if now > version {
		_, err = provider.DownTo(s.t.Context(), version)
		if err != nil {
			s.t.Fatal(err)
		}
	} else if _, err := provider.UpTo(s.t.Context(), version); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) backfill(release string) {
	s.t.Helper()

	data, err := os.ReadFile(filepath.Join(s.dirs[release], "migrations/backfill/customers.json"))
	if err != nil {
		s.t.Fatal(err)
	}

	var b struct{ Table, Key, Where, Statement string }
	if err := json.Unmarshal(data, &b); err != nil {
		s.t.Fatal(err)
	}

	keys, left := "", 0

	query := fmt.Sprintf("SELECT array_agg(%s)::text FROM %s WHERE %s", b.Key, b.Table, b.Where)
	if err := s.db.QueryRow(query).Scan(&keys); err != nil {
		s.t.Fatal(err)
	}

	if _, err := s.db.Exec(b.Statement, keys); err != nil {
		s.t.Fatal(err)
	}

	query = fmt.Sprintf("SELECT count(*) FROM %s WHERE %s", b.Table, b.Where)
	if err := s.db.QueryRow(query).Scan(&left); err != nil || left > 0 {
		s.t.Fatalf("the backfill left %d rows: %v", left, err)
	}
}

func (s *stage) expect(release, function, method, body string, status int, contains string) {
	s.t.Helper()

	answer := s.call(release, function, method, body)
	if answer.StatusCode != status || !strings.Contains(answer.Body, contains) {
		s.t.Fatalf("%s %s of %s %s: got %d %s, want %d with %s", method, function, release, body,
			answer.StatusCode, answer.Body, status, contains)
	}

	if stamp := answer.Headers["x-lockstep-release"]; stamp != release {
		s.t.Errorf("%s of %s has the stamp %q", function, release, stamp)
	}
}
