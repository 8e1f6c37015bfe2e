package migration

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// The migrations of a bundle are foreign SQL. Whatever they are, Load accepts or refuses them, and
// its error names the file.
func FuzzLoad(f *testing.F) {
	for _, sql := range []string{
		"-- +goose Up\nALTER TABLE orders ADD COLUMN note text;\n-- +goose Down\nALTER TABLE orders DROP COLUMN note;\n",
		"-- +goose Up\n-- +goose StatementBegin\nCREATE FUNCTION f() RETURNS int AS $$ SELECT 1; $$ LANGUAGE sql;\n-- +goose StatementEnd\n-- +goose Down\nDROP FUNCTION f;\n",
		"-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY i ON t (a);\n-- +goose Down\nDROP INDEX CONCURRENTLY i;\n",
		"-- +goose Up\nDROP TABLE t;", "-- +goose Down\n", "-- +goose Up\nSELECT 'it''s; -- \\", "", "\x00",
	} {
		f.Add("expand/00002_widen.sql", sql)
		f.Add("contract/00002_narrow.sql", sql)
	}

	f.Add("backfill/customers.json", `{"name":"c","table":"t","key":"id","where":"a IS NULL","batch":100,"statement":"UPDATE t SET a = 1"}`)
	f.Add("backfill/customers.json", `{"name":"c","table":"t; DROP TABLE t","batch":-1}`)
	f.Add("elsewhere/x.sql", "SELECT 1")
	f.Fuzz(func(t *testing.T, name, content string) {
		if !fs.ValidPath(name) || name == "." {
			t.Skip("no such name in a zip")
		}

		_, err := Load(fstest.MapFS{name: {Data: []byte(content)}})
		if folder, _, _ := strings.Cut(name, "/"); err != nil && !strings.Contains(err.Error(), folder) {
			t.Errorf("%q is refused without its name: %v", name, err)
		}
	})
}
