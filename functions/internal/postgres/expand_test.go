package postgres

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestRelease_SplitName(t *testing.T) {
	d, _ := shop(t, 7)
	r := expand(t, d, "v2", v2)

	want := Report{From: 1, To: 2, Applied: []string{"expand/00002_split_name.sql"},
		Backfilled: map[string]int64{"customer-names": 7}}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("expand: %+v, expected %+v", r, want)
	}

	if got := r.String(); got != "version 1 to 2; expand/00002_split_name.sql; 7 rows backfilled by customer-names" {
		t.Errorf("in words: %s", got)
	}

	if got := column(t, d, "SELECT first_name || '|' || last_name || '|' || name FROM customers WHERE id = 3")[0]; got != "Ada3|Byron3|Ada3 Byron3" {
		t.Errorf("both versions see %s", got)
	}

	r = contract(t, d, "v2", v2)
	if r.From != 0 || r.To != 2 || len(r.Applied) != 1 {
		t.Errorf("contract: %+v", r)
	}

	if got := column(
		t, d, "SELECT customers::text FROM customers WHERE id = 3")[0]; got != "(3,Ada3,Byron3)" {
		t.Errorf("afterwards a row is %s", got)
	}

	if e, c, err := d.Versions(t.Context()); e != 2 || c != 2 || err != nil {
		t.Errorf("versions %d and %d, %v", e, c, err)
	}
}

func TestVersions_EmptyDatabase_ChangesNothing(t *testing.T) {
	d, _ := shop(t, 0)
	execute(t, d, "DROP TABLE lockstep_expand")

	if e, c, err := d.Versions(t.Context()); e != 0 || c != 0 || err != nil {
		t.Errorf("versions %d and %d, %v", e, c, err)
	}

	if got := column(t, d, "SELECT to_regclass('lockstep_expand')::text")[0]; got != "" {
		t.Errorf("asking made %s", got)
	}
}

func TestRelease_Twice_DoesNothing(t *testing.T) {
	d, _ := shop(t, 7)
	expand(t, d, "v2", v2)

	before := schema(t, d)
	if r := expand(t, d, "v2", v2); len(r.Applied) != 0 || r.From != 2 || r.To != 2 ||
		r.Backfilled["customer-names"] != 7 {
		t.Errorf("second expand: %+v", r)
	}

	if after := schema(t, d); after != before {
		t.Errorf("second expand changed\n%s\nto\n%s", before, after)
	}

	contract(t, d, "v2", v2)

	before = schema(t, d)
	if r := contract(t, d, "v2", v2); len(r.Applied) != 0 {
		t.Errorf("second contract: %+v", r)
	}

	if r := expand(t, d, "v2", v2); len(r.Applied) != 0 {
		t.Errorf("expand after contract: %+v", r)
	}

	if after := schema(t, d); after != before {
		t.Errorf("second contract changed\n%s\nto\n%s", before, after)
	}
}

func TestUndoExpand_RestoresSchemaAndKeepsData(t *testing.T) {
	d, _ := shop(t, 7)
	before := schema(t, d)
	expand(t, d, "v2", v2)
	// as v2 writes
	execute(t, d, "UPDATE customers SET first_name = 'Grace', last_name = 'Hopper' WHERE id = 1")

	for range 2 {
		r := undo(t, d, "v2")
		if r.To != 1 {
			t.Errorf("undo: %+v", r)
		}

		if after := schema(t, d); after != strings.Replace(before, `"Ada1 Byron1"`, `"Grace Hopper"`, 1) {
			t.Errorf("undo left\n%s\nexpected, with customer 1 renamed,\n%s", after, before)
		}
	}

	if r := expand(t, d, "v2", v2); r.Backfilled["customer-names"] != 7 {
		t.Errorf("the same release again: %+v", r)
	}
}

func TestUndoExpand_AfterContract_IsRefused(t *testing.T) {
	d, _ := shop(t, 1)
	release(t, d, "v2", v2)

	before := schema(t, d)
	if _, err := d.UndoExpand(t.Context(), "v2"); !errors.Is(err, ErrContracted) {
		t.Errorf("got %v, expected ErrContracted", err)
	}

	if after := schema(t, d); after != before {
		t.Errorf("it changed\n%s\nto\n%s", before, after)
	}
}

func TestUndoExpand_UnknownRelease_DoesNothing(t *testing.T) {
	d, _ := shop(t, 1)
	before := schema(t, d)
	undo(t, d, "v99")

	if after := schema(t, d); after != before {
		t.Errorf("it changed\n%s\nto\n%s", before, after)
	}
}

var (
	v3 = columnBundle("00003", "phone", "")
	v5 = columnBundle("00005", "email", "")
)

// columnBundle adds a column in expand, and drops another one in contract.
func columnBundle(number, add, drop string) fstest.MapFS {
	b := bundleOf("expand/"+number+"_"+add+".sql",
		"-- +goose Up\nALTER TABLE customers ADD COLUMN "+add+
			" text;\n-- +goose Down\nALTER TABLE customers DROP COLUMN "+add+";\n")
	if drop != "" {
		b["contract/"+number+"_"+drop+".sql"] = &fstest.MapFile{Data: []byte(
			"-- +goose Up\nALTER TABLE customers DROP COLUMN " + drop + ";\n")}
	}

	return b
}

func TestExpand_BundlesOfOwnFilesAndOfAll(t *testing.T) {
	for _, test := range []struct {
		name   string
		bundle func(...fstest.MapFS) fstest.MapFS
	}{
		{"all files", all},
		{"own files", func(b ...fstest.MapFS) fstest.MapFS { return b[len(b)-1] }},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, _ := shop(t, 2)
			release(t, d, "v2", test.bundle(v1, v2))
			expand(t, d, "v3", test.bundle(v1, v2, v3))
			undo(t, d, "v3")

			if e, _, _ := d.Versions(t.Context()); e != 2 {
				t.Errorf("undone to %d, expected 2", e)
			}

			r := expand(t, d, "v5", test.bundle(v1, v2, v5)) // skips numbers: v3 was reverted
			if !reflect.DeepEqual(r.Applied, []string{"expand/00005_email.sql"}) {
				t.Errorf("v5 applied %v", r.Applied)
			}

			contract(t, d, "v5", test.bundle(v1, v2, v5))

			late := expand(t, d, "v6", test.bundle(v1, v2, v5, v3)) // merged late, with a lower number
			if !reflect.DeepEqual(late.Applied, []string{"expand/00003_phone.sql"}) || late.To != 5 {
				t.Errorf("v6: %+v", late)
			}

			undo(t, d, "v6")

			if got := column(t, d, "SELECT string_agg(version_id::text, ',' ORDER BY version_id) FROM lockstep_expand")[0]; got != "0,1,2,5" {
				t.Errorf("undo of v6 leaves versions %s", got)
			}
		})
	}
}

func TestExpand_ChangedFile(t *testing.T) {
	d, _ := shop(t, 1)
	other := bundleOf("expand/00001_clients.sql",
		"-- +goose Up\nCREATE TABLE clients();\n-- +goose Down\nDROP TABLE clients;\n")

	_, err := d.Expand(t.Context(), "v2", other)
	if !errors.Is(err, ErrChanged) {
		t.Fatalf("got %v, expected ErrChanged", err)
	}

	for _, word := range []string{"expand/00001_clients.sql", "v1", "expand/00001_customers.sql"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%v: does not name %s", err, word)
		}
	}
	// After a rollback, the file may be corrected under the same number. Undo runs the Down of the
	// file that ran.
	wrong, right := columnBundle("00003", "fone", ""), columnBundle("00003", "phone", "")
	expand(t, d, "v3", wrong)
	undo(t, d, "v3")
	expand(t, d, "v4", right)

	if got := column(t, d, "SELECT string_agg(column_name, ',' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_name = 'customers'")[0]; got != "id,name,phone" {
		t.Errorf("columns %s", got)
	}
}

func TestExpand_FailingStatement_NamesFileAndStatement(t *testing.T) {
	d, _ := shop(t, 1)
	before := schema(t, d)
	broken := all(v3, bundleOf("expand/00004_broken.sql",
		"-- +goose Up\nALTER TABLE customers ADD COLUMN age int;\n-- why\nALTER TABLE clients\n\tADD COLUMN age int;\n-- +goose Down\nALTER TABLE customers DROP COLUMN age;\n"))

	_, err := d.Expand(t.Context(), "v4", broken)
	if err == nil || !strings.HasPrefix(err.Error(),
		`expand/00004_broken.sql: "ALTER TABLE clients ADD COLUMN age int;": `) ||
		!strings.Contains(err.Error(), `relation "clients" does not exist`) {
		t.Errorf("got %v", err)
	}

	undo(t, d, "v4")

	if after := schema(t, d); after != before {
		t.Errorf("undo left\n%s\nexpected\n%s", after, before)
	}
}

func TestExpand_RehearsesTheContract(t *testing.T) {
	d, _ := shop(t, 2)
	bad := all(v3, bundleOf("contract/00003_phone.sql",
		"-- +goose Up\nALTER TABLE customers ALTER COLUMN phone SET NOT NULL;\n"))

	_, err := d.Expand(t.Context(), "v3", bad)
	if err == nil || !strings.Contains(err.Error(), "rehearse contract/00003_phone.sql") ||
		!strings.Contains(err.Error(), "contains null values") {
		t.Fatalf("got %v", err)
	}

	undo(t, d, "v3")

	good := all(v2, bundleOf("contract/00003_index.sql",
		"-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY IF NOT EXISTS by_last ON customers (last_name);\n",
		"contract/00004_after.sql", "-- +goose Up\nDROP INDEX by_last;\n"))

	r := expand(t, d, "v4", good)
	if want := []string{"contract/00003_index.sql",
		"contract/00004_after.sql"}; !reflect.DeepEqual(r.Untried, want) {
		t.Errorf("untried %v, expected %v", r.Untried, want)
	}

	if got := column(t, d, "SELECT count(name) FROM customers")[0]; got != "2" {
		t.Errorf("the rehearsal was not taken back: %s names", got)
	}

	contract(t, d, "v4", good)
}

// A rehearsal may have no time even for its first statement, in which goose makes its table. Goose
// then retries, and its last error is that of a failed transaction.
func TestExpand_RehearsalOutOfTime_IsNone(t *testing.T) {
	_, url := shop(t, 1)
	d := open(t, url, Options{LockTimeout: 100 * time.Millisecond})
	// makes the other tables
	expand(t, d, "v1b", bundleOf("expand/00002_y.sql",
		"-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 1;\n"))
	execute(t, d, `CREATE FUNCTION slowly() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1); END';
		CREATE EVENT TRIGGER slowly ON ddl_command_start WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION slowly()`)

	r := expand(t, d, "v2", bundleOf("contract/00003_x.sql", "-- +goose Up\nSELECT 1;\n"))
	if want := []string{"contract/00003_x.sql"}; !reflect.DeepEqual(r.Untried, want) {
		t.Errorf("untried %v, expected %v", r.Untried, want)
	}
}

func TestContract_BeforeExpand_IsRefused(t *testing.T) {
	d, _ := shop(t, 1)
	if _, err := d.Contract(t.Context(), "v2", v2); err == nil ||
		!strings.Contains(err.Error(), "expand/00002_split_name.sql") {
		t.Errorf("got %v", err)
	}
}

func TestExpand_BadBundle_RunsNothing(t *testing.T) {
	d, _ := shop(t, 1)
	before := schema(t, d)

	_, err := d.Expand(t.Context(), "v3", all(v3,
		bundleOf("expand/00004_x.sql", "-- +goose Up\nSELECT 1")))
	if err == nil || !strings.Contains(err.Error(), "expand/00004_x.sql") {
		t.Errorf("got %v", err)
	}

	if after := schema(t, d); after != before {
		t.Errorf("it changed\n%s\nto\n%s", before, after)
	}
}
