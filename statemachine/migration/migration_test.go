package migration

import (
	"strings"
	"testing"
	"testing/fstest"
)

// bundleOf makes a bundle from alternating names and contents.
func bundleOf(files ...string) fstest.MapFS {
	b := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		b[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}

	return b
}

func TestLoad(t *testing.T) {
	const up, down = "-- +goose Up\nSELECT 1;\n", "-- +goose Down\nSELECT 2;\n"

	backfill := func(change func(map[string]string)) string {
		fields := map[string]string{
			"name": `"n"`, "table": `"t"`, "key": `"id"`, "where": `"x IS NULL"`, "batch": "10", "statement": `"UPDATE t SET x = 1 WHERE id = ANY($1)"`,
		}
		change(fields)

		var list []string
		for name, value := range fields {
			list = append(list, `"`+name+`":`+value)
		}

		return "{" + strings.Join(list, ",") + "}"
	}

	with := func(field, value string) fstest.MapFS {
		return bundleOf("backfill/x.json", backfill(func(f map[string]string) { f[field] = value }))
	}
	for _, test := range []struct {
		name   string
		bundle fstest.MapFS
		want   []string // none: fine
	}{
		{"all three", bundleOf("expand/1_a.sql", up+down, "contract/1_a.sql", up, "backfill/x.json",
			backfill(func(map[string]string) {})), nil},
		{"nothing", fstest.MapFS{}, []string{"found no migrations"}},
		{"a folder too deep", bundleOf("migrations/expand/1_a.sql", up+down),
			[]string{"migrations:", "expand, contract and backfill"}},
		{"from the environment", bundleOf("expand/1_a.sql", "-- +goose ENVSUB ON\n"+up+down),
			[]string{"expand/1_a.sql: found ENVSUB"}},
		{"no Up", bundleOf("contract/1_a.sql", "-- +goose Up\n"),
			[]string{"contract/1_a.sql: found no statement"}},
		{"not goose's format", bundleOf("expand/1_a.sql", "SELECT 1;"), []string{"expand/1_a.sql"}},
		{"no semicolon", bundleOf("contract/1_a.sql", "-- +goose Up\nSELECT 1"),
			[]string{"contract/1_a.sql", "semicolon"}},
		{"no number", bundleOf("expand/a.sql", up+down),
			[]string{"expand/a.sql: the name has another form"}},
		{"not SQL", bundleOf("expand/1_a.go", "package a"),
			[]string{"expand/1_a.go: the name has another form"}},
		{"one number twice", bundleOf("expand/1_a.sql", up+down, "expand/01_b.sql", up+down),
			[]string{"expand/1_a.sql: found version 1, which expand/01_b.sql has already"}},
		{"backfill not JSON", bundleOf("backfill/x.json", "{"), []string{"backfill/x.json"}},
		{"backfill of another kind", bundleOf("backfill/x.sql", "UPDATE"),
			[]string{"backfill/x.sql: the name has another form"}},
		{"backfill with an unknown field", with("sleep", "1"), []string{"backfill/x.json", `"sleep"`}},
		{"backfill without where", with("where", `""`), []string{"backfill/x.json: where:"}},
		{"backfill without keys", with("statement", `"UPDATE t SET x = 1"`),
			[]string{"backfill/x.json: statement: found no $1", "WHERE id = ANY($1)"}},
		{"backfill with no batch", with("batch", "0"), []string{"backfill/x.json: batch: found 0"}},
		{"backfill twice", bundleOf("backfill/x.json", backfill(func(map[string]string) {}),
			"backfill/y.json", backfill(func(map[string]string) {})),
			[]string{`backfill/y.json: name: found "n", which backfill/x.json has already`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Load(test.bundle)
			if (err != nil) != (len(test.want) > 0) {
				t.Fatalf("got %v, expected %q", err, test.want)
			}

			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, expected %q in it", err, want)
				}
			}
		})
	}
}
