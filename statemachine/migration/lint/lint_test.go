package lint

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

const down = "-- +goose Down\nSELECT 1;\n"

// expand is a bundle of one file, whose first statement stands on line 2.
func expand(statements string) fstest.MapFS {
	return files("expand/2_a.sql", "-- +goose Up\n"+statements+"\n"+down)
}

func outside(statements string) fstest.MapFS {
	return files("expand/2_a.sql", "-- +goose NO TRANSACTION\n-- +goose Up\n"+statements+"\n"+down)
}

func contract(statements string) fstest.MapFS {
	return files("contract/2_a.sql", "-- +goose Up\n"+statements+"\n")
}

func files(content ...string) fstest.MapFS {
	b := fstest.MapFS{}
	for i := 0; i < len(content); i += 2 {
		b[content[i]] = &fstest.MapFile{Data: []byte(content[i+1])}
	}

	return b
}

const trigger = `-- +goose Up
ALTER TABLE t ADD COLUMN b text;
-- +goose StatementBegin
CREATE FUNCTION sync() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.b := NEW.a; RETURN NEW; END $$;
-- +goose StatementEnd
CREATE TRIGGER keep BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION sync();
-- +goose Down
DROP TRIGGER keep ON t;
DROP FUNCTION sync();
ALTER TABLE t DROP COLUMN b;
`

func TestCheck_Rules(t *testing.T) {
	for name, test := range map[string]struct {
		bundle fstest.MapFS
		want   string // the beginning of the one finding; empty for none
	}{
		"a column":                {expand("ALTER TABLE t ADD COLUMN a text;"), ""},
		"a column with a default": {expand("ALTER TABLE t ADD COLUMN a int NOT NULL DEFAULT 3, ADD COLUMN b timestamptz DEFAULT now() - interval '1 day';"), ""},
		"a new table":             {expand("CREATE TABLE t (id bigserial PRIMARY KEY, o int REFERENCES o UNIQUE, CHECK (o > 0));\nCREATE INDEX ON t (o);\nALTER TABLE t ALTER o SET NOT NULL;\nUPDATE t SET o = 1;"), ""},
		"a trigger made anew":     {expand("DROP TRIGGER IF EXISTS x ON t;\nCREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();"), ""},
		"what widens": {expand("ALTER TABLE t ALTER a DROP NOT NULL, ALTER a SET DEFAULT 1;"),
			""},
		"a table that may be there": {files("expand/2_a.sql",
			"-- +goose Up\nCREATE TABLE IF NOT EXISTS t (id int);\n-- +goose Down\nDROP TABLE t;\n"), "expand/2_a.sql:2: exists: found CREATE TABLE IF NOT EXISTS and a Down that drops"},
		"a column that may be there": {files("expand/2_a.sql",
			"-- +goose Up\nALTER TABLE t ADD COLUMN IF NOT EXISTS a int;\n-- +goose Down\nALTER TABLE t DROP COLUMN a;\n"), "expand/2_a.sql:2: exists: found ADD COLUMN IF NOT EXISTS and a Down that drops"},
		"a table that may be there, outside": {files("expand/2_a.sql",
			"-- +goose NO TRANSACTION\n-- +goose Up\nCREATE TABLE IF NOT EXISTS t (id int);\n-- +goose Down\nDROP TABLE IF EXISTS t;\n"), "expand/2_a.sql:3: exists: found CREATE TABLE IF NOT EXISTS and a Down that drops"},
		"a table that stays": {expand("CREATE TABLE IF NOT EXISTS t (id int);"), ""},
		"concurrently":       {outside("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a);"), ""},
		"a constraint by its index": {expand("ALTER TABLE t ADD CONSTRAINT i UNIQUE USING INDEX i;"),
			""},
		"a foreign key not yet valid": {expand("ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES o NOT VALID;"), ""},
		"validated on its own":        {expand("ALTER TABLE t VALIDATE CONSTRAINT f;"), ""},
		"what only looks like SQL":    {expand("COMMENT ON TABLE t IS 'DROP TABLE t; -- lockstep:allow drop: no';"), ""},
		"windows": {files("expand/2_a.sql",
			"-- +goose Up\r\nALTER TABLE t\r\n  RENAME a TO b;\r\n-- +goose Down\r\nSELECT 1;\r\n"), "expand/2_a.sql:3: rename: found RENAME COLUMN"},
		"rollback of the same column": {files("expand/2_a.sql",
			"-- +goose Up\nALTER TABLE t ALTER a DROP NOT NULL;\n-- +goose Down\nALTER TABLE t ALTER a SET NOT NULL;\n", "contract/2_a.sql", "-- +goose Up\nALTER TABLE t DROP a;\n"), ""},
		"a column for one release": {files("expand/2_a.sql",
			"-- +goose Up\nALTER TABLE t ADD a int;\n"+
				down, "contract/2_a.sql", "-- +goose Up\nALTER TABLE t DROP a;\n"), ""},
		"contract with its trigger": {files("expand/2_a.sql", trigger, "contract/2_a.sql",
			"-- +goose Up\nDROP TRIGGER keep ON t;\nDROP FUNCTION sync();\nALTER TABLE t ALTER b SET NOT NULL, DROP a;\n"), ""},
		"contract with a new function": {files("expand/2_a.sql", trigger, "contract/2_a.sql",
			"-- +goose Up\nCREATE OR REPLACE FUNCTION sync() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';\nALTER TABLE t DROP a;\n"), ""},

		"drop table": {expand("DROP TABLE t;"),
			"expand/2_a.sql:2: drop: found DROP TABLE in expand"},
		"drop view": {expand("DROP VIEW IF EXISTS v;"),
			"expand/2_a.sql:2: drop: found DROP VIEW"},
		"drop column": {expand("-- why\n\nALTER TABLE t\n  ADD COLUMN b text,\n  DROP COLUMN a;"),
			"expand/2_a.sql:6: drop: found DROP COLUMN a in expand"},
		"drop constraint": {expand("ALTER TABLE t DROP CONSTRAINT c;"),
			"expand/2_a.sql:2: drop: found DROP CONSTRAINT c"},
		"drop default": {expand("ALTER TABLE t ALTER a DROP DEFAULT;"),
			"expand/2_a.sql:2: drop: found DROP DEFAULT of a"},
		"truncate": {expand("TRUNCATE t;"), "expand/2_a.sql:2: drop: found TRUNCATE"},
		"rename column": {expand("SELECT 1;\nALTER TABLE t RENAME a TO b;"),
			"expand/2_a.sql:3: rename: found RENAME COLUMN in expand"},
		"rename table": {expand("ALTER TABLE t RENAME TO u;"),
			"expand/2_a.sql:2: rename: found RENAME TABLE"},
		"rename value": {expand("ALTER TYPE m RENAME VALUE 'a' TO 'b';"),
			"expand/2_a.sql:2: rename: found RENAME VALUE"},
		"another schema": {expand("ALTER TABLE t SET SCHEMA s;"),
			"expand/2_a.sql:2: rename: found SET SCHEMA"},
		"type": {expand("ALTER TABLE t ALTER a TYPE bigint;"),
			"expand/2_a.sql:2: type-change: found a new type for a"},
		"not null": {expand("ALTER TABLE t ALTER a SET NOT NULL;"),
			"expand/2_a.sql:2: not-null: found SET NOT NULL of a"},
		"not null without value": {expand("ALTER TABLE t ADD COLUMN a int NOT NULL;"),
			"expand/2_a.sql:2: not-null: found ADD COLUMN a NOT NULL without a default"},
		"volatile default": {expand("ALTER TABLE t ADD COLUMN a uuid DEFAULT gen_random_uuid();"),
			"expand/2_a.sql:2: volatile-default: found ADD COLUMN a with a default"},
		"volatile within": {expand("ALTER TABLE t ADD COLUMN a text DEFAULT lower('x' || random()::text);"), "expand/2_a.sql:2: volatile-default"},
		"serial": {expand("ALTER TABLE t ADD COLUMN a bigserial;"),
			"expand/2_a.sql:2: volatile-default: found ADD COLUMN a with the type bigserial"},
		"identity": {expand("ALTER TABLE t ADD COLUMN a int GENERATED ALWAYS AS IDENTITY;"),
			"expand/2_a.sql:2: volatile-default: found ADD COLUMN a with an identity"},
		"generated": {expand("ALTER TABLE t ADD COLUMN a int GENERATED ALWAYS AS (b + 1) STORED;"),
			"expand/2_a.sql:2: volatile-default: found ADD COLUMN a with a generated value"},
		"unique": {expand("ALTER TABLE t ADD CONSTRAINT u UNIQUE (a);"),
			"expand/2_a.sql:2: constraint: found a UNIQUE constraint"},
		"unique column": {expand("ALTER TABLE t ADD COLUMN a int UNIQUE;"),
			"expand/2_a.sql:2: constraint: found a UNIQUE constraint"},
		"primary key": {expand("ALTER TABLE t ADD PRIMARY KEY (a);"),
			"expand/2_a.sql:2: constraint: found a PRIMARY KEY"},
		"foreign key": {expand("ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES o;"),
			"expand/2_a.sql:2: constraint: found a foreign key without NOT VALID"},
		"foreign key of a column": {expand("ALTER TABLE t ADD COLUMN a int REFERENCES o;"),
			"expand/2_a.sql:2: constraint: found a foreign key"},
		"check": {expand("ALTER TABLE t ADD CHECK (a > 0);"),
			"expand/2_a.sql:2: constraint: found a check without NOT VALID"},
		"validated too early": {expand("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;\nALTER TABLE t VALIDATE CONSTRAINT c;"), "expand/2_a.sql:3: constraint: found VALIDATE CONSTRAINT c in the transaction"},
		"exclusion": {expand("ALTER TABLE t ADD EXCLUDE USING gist (a WITH &&);"),
			"expand/2_a.sql:2: constraint: found an EXCLUDE"},
		"index": {expand("CREATE INDEX i ON t (a);"),
			"expand/2_a.sql:2: index: found CREATE INDEX on t without CONCURRENTLY"},
		"index in a transaction": {expand("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a);"),
			"expand/2_a.sql:2: index: found CONCURRENTLY in a file that runs in a transaction"},
		"reindex": {expand("REINDEX TABLE t;"), "expand/2_a.sql:2: index: found REINDEX"},
		"vacuum full": {outside("VACUUM FULL t;"),
			"expand/2_a.sql:3: rewrite: found VACUUM FULL"},
		"cluster": {expand("CLUSTER t;"), "expand/2_a.sql:2: rewrite: found CLUSTER"},
		"update": {expand("UPDATE t SET a = 1;"),
			"expand/2_a.sql:2: bulk-write: found UPDATE"},
		"delete": {contract("DELETE FROM t;"),
			"contract/2_a.sql:2: bulk-write: found DELETE"},
		"cascade": {contract("DROP TABLE t CASCADE;"),
			"contract/2_a.sql:2: cascade: found CASCADE"},
		"cascade of a column": {contract("ALTER TABLE t\n  DROP a\n  CASCADE;"),
			"contract/2_a.sql:4: cascade: found CASCADE"},
		"lock timeout": {expand("SET LOCAL lock_timeout = 0;"),
			"expand/2_a.sql:2: timeout: found SET lock_timeout"},
		"lock": {expand("LOCK TABLE t;"),
			"expand/2_a.sql:2: timeout: found LOCK TABLE"},
		"do": {expand("-- +goose StatementBegin\nDO $$ BEGIN DROP TABLE t; END $$;\n-- +goose StatementEnd"), "expand/2_a.sql:3: hidden: found DO"},
		"index that runs once": {outside("CREATE INDEX CONCURRENTLY i ON t (a);"),
			"expand/2_a.sql:3: run-twice: found CREATE INDEX without IF NOT EXISTS"},
		"column that runs once": {outside("ALTER TABLE t ADD COLUMN a int;"),
			"expand/2_a.sql:3: run-twice: found ADD COLUMN without"},
		"rows that come twice": {outside("INSERT INTO t VALUES (1);"),
			"expand/2_a.sql:3: run-twice: found INSERT without ON CONFLICT"},
		"no Down": {files("expand/2_a.sql",
			"-- +goose Up\nSELECT 1;\n-- +goose Down\n-- nothing\n"), "expand/2_a.sql:1: down: found no way back"},

		"contract renames": {contract("ALTER TABLE t RENAME a TO b;"),
			"contract/2_a.sql:2: still-needed: found RENAME COLUMN in contract"},
		"contract forgets trigger": {files("expand/2_a.sql", trigger, "contract/2_a.sql",
			"-- +goose Up\nALTER TABLE t DROP a;\n"), "contract/2_a.sql:2: still-needed: found DROP of t.a, but the function sync of the trigger keep"},
		"contract forgets reader": {files("expand/2_a.sql",
			"-- +goose Up\nCREATE FUNCTION n() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM t';\n"+
				down, "contract/2_a.sql", "-- +goose Up\nDROP TABLE t;\n"),
			"contract/2_a.sql:2: still-needed: found DROP of table t, but the function n"},
		"contract changes a type": {contract("ALTER TABLE t ALTER a TYPE int;"),
			"contract/2_a.sql:2: type-change"},
		"contract builds": {contract("CREATE INDEX i ON t (a);"), "contract/2_a.sql:2: index"},

		"commit": {expand("SELECT 1;\nCOMMIT;"),
			"expand/2_a.sql:3: found BEGIN, COMMIT or the like"},
		"not SQL": {expand("SELECT 1;\nALTER TABEL t;"),
			"expand/2_a.sql:3: found SQL that Postgres cannot parse: syntax error at or near \"TABEL\""},
		"not readable": {files("expand/2_a.sql", "SELECT 1;"), "expand/2_a.sql: "},
	} {
		t.Run(name, func(t *testing.T) {
			err := Check(test.bundle)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("found %v, expected nothing", err)
			case test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want) ||
				strings.Contains(err.Error(), "\n")):
				t.Errorf("found %v\nexpected only %s", err, test.want)
			}
		})
	}
}

func TestCheck_Allowed(t *testing.T) {
	for name, test := range map[string]struct {
		bundle fstest.MapFS
		want   string
	}{
		"above":  {expand("-- nobody reads it\n-- lockstep:allow drop: empty since spring\nDROP TABLE t;"), ""},
		"inside": {expand("ALTER TABLE t\n  -- lockstep:allow drop: nobody reads it\n  DROP COLUMN a,\n  DROP COLUMN b;"), ""},
		"behind": {expand("DROP TABLE t; -- lockstep:allow drop: empty since spring"), ""},
		"no Down": {files("expand/2_a.sql",
			"-- lockstep:allow down: it may stay\n-- +goose Up\nSELECT 1;\n"), ""},
		"in contract": {contract("-- lockstep:allow still-needed: only a report read it\nALTER TABLE t RENAME a TO b;"), ""},
		"only the next one": {expand("-- lockstep:allow drop: empty\nDROP TABLE t;\nDROP TABLE u;"),
			"expand/2_a.sql:4: drop"},
		"not the one above": {expand("DROP TABLE t; -- lockstep:allow drop: empty\nDROP TABLE u;"),
			"expand/2_a.sql:3: drop"},
		"another rule": {expand("-- lockstep:allow rename: empty\nDROP TABLE t;"),
			"expand/2_a.sql:2: allow: found nothing that rename would have refused"},
		"without a reason": {expand("-- lockstep:allow drop:\nDROP TABLE t;"),
			"expand/2_a.sql:2: allow: found no reason"},
		"unknown rule": {expand("-- lockstep:allow drops: empty\nSELECT 1;"),
			"expand/2_a.sql:2: allow: found \"drops\", expected one of the rules drop, rename"},
		"no rule": {expand("COMMIT; -- lockstep:allow hidden: I must"),
			"expand/2_a.sql:2: found BEGIN, COMMIT"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Check(test.bundle)
			if (test.want == "") != (err == nil) || err != nil &&
				!strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("found %v, expected %q", err, test.want)
			}
		})
	}
}

func TestCheck_AllFindingsAtOnce(t *testing.T) {
	err := Check(files(
		"expand/1_a.sql", "-- +goose Up\nDROP TABLE t;\nALTER TABLE u RENAME TO v;\n"+down,
		"contract/1_a.sql", "-- +goose Up\nDROP TABLE t CASCADE;\n"))

	var finding Finding
	if !errors.As(err, &finding) {
		t.Fatalf("found %v, expected a Finding in it", err)
	}

	want := []string{"contract/1_a.sql:2: cascade", "expand/1_a.sql:2: drop",
		"expand/1_a.sql:3: rename"}

	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(want) {
		t.Fatalf("found\n%v\nexpected %d lines", err, len(want))
	}

	for i, line := range lines {
		if !strings.HasPrefix(line, want[i]) {
			t.Errorf("found %s, expected %s", line, want[i])
		}
	}
}

func TestCheck_SampleShop(t *testing.T) {
	for _, release := range []string{"v1", "v2", "v3"} {
		if err := Check(os.DirFS("../../../infra/local/shop/" + release + "/migrations")); err != nil {
			t.Errorf("%s: %v", release, err)
		}
	}
}
