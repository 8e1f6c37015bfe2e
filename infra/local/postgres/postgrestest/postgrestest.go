// Package postgrestest gives each test its own database on a real Postgres, without setup and
// without effects on other tests.
package postgrestest

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"lockstep/infra/local/postgres"
)

// MajorVariable is the environment variable with the major version of Postgres for tests. Without
// it tests run on any version.
const MajorVariable = "LOCKSTEP_TEST_POSTGRES"

var shared struct {
	sync.Mutex
	wanted bool
	server *postgres.Server
}

// Main runs a package's tests with one server, which the first test that needs it starts:
//
//	func TestMain(m *testing.M) { postgrestest.Main(m) }
//
// Without Main, Database starts a server for each test.
func Main(m *testing.M) {
	shared.wanted = true
	code := m.Run()

	if shared.server != nil {
		if err := shared.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}

	os.Exit(code)
}

// Database returns the URL of a new, empty database, which is dropped when the test ends.
func Database(t testing.TB) string {
	t.Helper()
	server := serve(t)
	name := "test_" + strings.ToLower(rand.Text()[:12])
	execute(t, server.URL(), "CREATE DATABASE "+name)
	t.Cleanup(func() { execute(t, server.URL(), "DROP DATABASE "+name+" WITH (FORCE)") })

	u, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}

	u.Path = "/" + name

	return u.String()
}

func serve(t testing.TB) *postgres.Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()

	if shared.server != nil {
		return shared.server
	}

	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()

	major, err := strconv.Atoi(cmp.Or(os.Getenv(MajorVariable), "0"))
	if err != nil {
		t.Fatalf("%s: found %q, expected a major version", MajorVariable, os.Getenv(MajorVariable))
	}

	server, err := postgres.Start(ctx, postgres.Options{Major: major})
	if err != nil {
		t.Fatal(err)
	}

	if shared.wanted {
		shared.server = server
		return server
	}

	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})

	return server
}

func execute(t testing.TB, url, statement string) {
	t.Helper()

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer conn.Close(ctx)

	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
