package postgres

import (
	"io/fs"
	"os"
	"regexp"
	"testing"
	"testing/fstest"

	"lockstep/infra/local/postgres/postgrestest"
	"lockstep/statemachine/migration/lint"
)

// These are the sample shop's releases, as in a local run: v2 is contracted, v3 is rolled back and
// released again.
func TestRelease_SampleShop(t *testing.T) {
	migrations := func(release string) fs.FS {
		return os.DirFS("../../../infra/local/shop/" + release +
			"/migrations")
	}
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

// This is the worked example of the shop's README, taken from its text.
func TestRelease_SampleShop_Readme(t *testing.T) {
	text, err := os.ReadFile("../../../infra/local/shop/README.md")
	if err != nil {
		t.Fatal(err)
	}

	bundle := fstest.MapFS{}
	for _, block := range regexp.MustCompile(
		"In `migrations/([^`]+)`:\n\n```(?:sql|json)\n((?s:.*?))```").FindAllSubmatch(text, -1) {
		bundle[string(block[1])] = &fstest.MapFile{Data: block[2]}
	}

	if len(bundle) != 6 {
		t.Fatalf("found %d files in the README, expected 6", len(bundle))
	}

	if err := lint.Check(bundle); err != nil {
		t.Error(err)
	}

	d := open(t, postgrestest.Database(t), Options{})
	for _, name := range []string{"v1", "v2", "v3"} {
		release(t, d, name, os.DirFS("../../../infra/local/shop/"+name+"/migrations"))
	}

	order := func(columns, values string) {
		execute(t, d, "INSERT INTO orders (product, customer"+columns+") VALUES (1, 1"+values+")")
	}
	columns := func() string {
		return column(t, d, "SELECT string_agg(column_name, ' ' ORDER BY column_name) FROM information_schema.columns WHERE table_name = 'orders'")[0]
	}
	before := columns()

	for _, end := range []string{"rollback", "contract"} {
		r := expand(t, d, "v4", bundle)
		if len(r.Untried) > 0 || r.Backfilled["orders-ordered-at"] == 0 {
			t.Errorf("expand: %s", r)
		}

		order("", "")                           // as the old version does, which leaves the time to the default
		order(", ordered_at", ", '2020-02-02'") // as the new one does

		if got := column(
			t, d, "SELECT count(*) FROM orders WHERE placed IS DISTINCT FROM ordered_at")[0]; got != "0" {
			t.Errorf("%s orders have two times", got)
		}

		if end == "rollback" {
			undo(t, d, "v4")

			if got := columns(); got != before {
				t.Errorf("rolled back to %s, expected %s", got, before)
			}

			continue
		}

		contract(t, d, "v4", bundle)
		order("", "")

		if got := columns(); got != "customer gift id ordered_at product" {
			t.Errorf("contracted to %s", got)
		}

		if got := column(
			t, d, "SELECT count(*) FROM orders WHERE ordered_at = '2020-02-02'")[0]; got != "2" {
			t.Errorf("%s of the 2 orders that the new version made have their time", got)
		}
	}
}
