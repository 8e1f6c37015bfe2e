package postgres

import (
	"errors"
	"net/url"
	"testing"

	"lockstep/infra/local/postgres/postgrestest"
)

func TestOpen_Unreachable(t *testing.T) {
	address := postgrestest.Database(t)
	for name, c := range map[string]struct {
		change      func(u *url.URL)
		unreachable bool
	}{
		"nobody listens":   {func(u *url.URL) { u.Host = "127.0.0.1:1" }, true},
		"no such host":     {func(u *url.URL) { u.Host = "database.invalid" }, true},
		"no such database": {func(u *url.URL) { u.Path = "/nothing" }, false},
		"no such role":     {func(u *url.URL) { u.User = url.UserPassword("nobody", "") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}

			c.change(u)

			_, err = Open(t.Context(), Connection{URL: u.String()}, Options{})
			if err == nil || errors.Is(err, ErrUnreachable) != c.unreachable {
				t.Errorf("got %v, expected an error that is ErrUnreachable: %t", err, c.unreachable)
			}
		})
	}
}

// A server that restarts ends its sessions. The next call completes what was begun.
func TestExpand_SessionEnded_IsUnreachable(t *testing.T) {
	d, address := shop(t, 1)
	other := open(t, address, Options{})
	migration := bundleOf("expand/00002_x.sql", "-- +goose Up\nALTER TABLE customers ADD COLUMN x int;\nSELECT pg_sleep(CASE WHEN to_regclass('ended') IS NULL THEN 60 ELSE 0 END);\n"+
		"-- +goose Down\nALTER TABLE customers DROP COLUMN x;\n")

	go func() {
		until(t, other, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SELECT pg_sleep%')")
		execute(t, other, "CREATE TABLE ended (); SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SELECT pg_sleep%'")
	}()

	if _, err := d.Expand(t.Context(), "v2", migration); !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v, expected ErrUnreachable", err)
	}

	expand(t, d, "v2", migration)
}
