package postgres

import (
	"io/fs"
	"os"
	"testing"

	"lockstep/infra/local/postgres/postgrestest"
)

// The sample shop's releases, as a local run makes them: v2 is contracted, v3 is rolled back and comes again.
func TestRelease_SampleShop(t *testing.T) {
	migrations := func(release string) fs.FS { return os.DirFS("../../../infra/local/shop/" + release + "/migrations") }
	d := open(t, postgrestest.Database(t), Options{})
	release(t, d, "v1", migrations("v1"))
	before := column(t, d, "SELECT name FROM customers ORDER BY id")
	r := expand(t, d, "v2", migrations("v2"))
	if len(r.Untried) > 0 || r.Backfilled["customers-names"] != int64(len(before)) {
		t.Errorf("v2: %s, expected %d rows and all rehearsed", r, len(before))
	}
	contract(t, d, "v2", migrations("v2"))
	after := column(t, d, "SELECT trim(first_name || ' ' || last_name) FROM customers ORDER BY id")
	for i := range before {
		if after[i] != before[i] {
			t.Errorf("%s became %s", before[i], after[i])
		}
	}
	width := schema(t, d)
	for range 2 {
		expand(t, d, "v3", migrations("v3"))
		undo(t, d, "v3")
	}
	if got := schema(t, d); got != width {
		t.Errorf("undo of v3 left\n%s\nexpected\n%s", got, width)
	}
}
