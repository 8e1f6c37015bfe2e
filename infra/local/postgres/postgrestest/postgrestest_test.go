package postgrestest_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"lockstep/infra/local/postgres/postgrestest"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

func TestDatabase_EachTestHasItsOwn(t *testing.T) {
	for range 2 {
		t.Run("", func(t *testing.T) {
			conn, err := pgx.Connect(t.Context(), postgrestest.Database(t))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(t.Context())

			if _, err := conn.Exec(t.Context(), "CREATE TABLE mine (id int)"); err != nil {
				t.Error(err)
			}
		})
	}
}
