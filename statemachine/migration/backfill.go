package migration

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
)

const backfillFolder = "backfill"

// Backfill is a declared UPDATE of all rows of a table that need it, in batches by key.
type Backfill struct {
	// Name identifies the backfill: its progress is stored under it.
	Name string `json:"name"`
	// Table is the table's name, with its schema if needed. Key is a column of it that is unique and
	// not null.
	Table string `json:"table"`
	Key   string `json:"key"`
	// Where is the condition of the rows that still need it: first_name IS NULL. The backfill is
	// complete when no row meets it.
	Where string `json:"where"`
	// Batch is how many rows a transaction updates at most, 1 to 10000. Slow batches are made smaller.
	// Default: 1000.
	Batch int `json:"batch"`
	// Statement updates the rows whose keys are in $1, an array: UPDATE ... WHERE id = ANY($1).
	Statement string `json:"statement"`

	// MaxLag is the lag of a replica above which a batch waits. Default: "10s".
	MaxLag Duration `json:"maxLag"`
	// MaxLoad is the number of active sessions of the application above which a batch waits. Default:
	// 0, for any number. In any case, a batch is followed by a pause of the same length.
	MaxLoad int `json:"maxLoad"`

	File string `json:"-"` // its path in the bundle
}

func loadBackfills(migrations fs.FS) ([]Backfill, error) {
	entries, err := fs.ReadDir(migrations, backfillFolder)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", backfillFolder, err)
	}

	var (
		all   []Backfill
		wrong []error
	)

	files := map[string]string{}

	for _, entry := range entries {
		b := Backfill{File: path.Join(backfillFolder, entry.Name()), Batch: 1000,
			MaxLag: Duration{10 * time.Second}}
		if err := b.load(migrations); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", b.File, err))
		} else if other := files[b.Name]; other != "" {
			wrong = append(wrong, fmt.Errorf("%s: name: found %q, which %s has already", b.File, b.Name,
				other))
		}

		files[b.Name] = b.File
		all = append(all, b)
	}

	return all, errors.Join(wrong...)
}

// load reads and checks the backfill's file.
func (b *Backfill) load(migrations fs.FS) error {
	if path.Ext(b.File) != ".json" {
		return errors.New("the name has another form, expected one that ends in .json")
	}

	f, err := migrations.Open(b.File)
	if err != nil {
		return err
	}
	defer f.Close()

	d := json.NewDecoder(f)
	d.DisallowUnknownFields()

	if err := d.Decode(b); err != nil {
		return fmt.Errorf("expected {name, table, key, where, batch, statement, maxLag, maxLoad}: %w",
			err)
	}

	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("found more after the JSON object, expected the end of the file")
	}

	return b.check()
}

// check refuses fields that are missing or out of range.
func (b *Backfill) check() error {
	for _, field := range []struct{ name, value string }{
		{"name", b.Name}, {"table", b.Table}, {"key", b.Key}, {"where", b.Where},
		{"statement", b.Statement},
	} {
		if strings.TrimSpace(field.value) == "" {
			return fmt.Errorf("%s: found nothing, expected a text", field.name)
		}
	}

	if !strings.Contains(b.Statement, "$1") {
		return fmt.Errorf("statement: found no $1, which stands for the keys of the batch, expected "+
			"UPDATE %s SET ... WHERE %s = ANY($1)", b.Table, b.Key)
	}

	if b.MaxLag.Duration <= 0 {
		return fmt.Errorf("maxLag: found %s, expected more than 0", b.MaxLag)
	}

	if b.MaxLoad < 0 {
		return fmt.Errorf("maxLoad: found %d, expected a number of sessions, or 0 for any", b.MaxLoad)
	}

	if b.Batch < 1 || b.Batch > 10_000 {
		return fmt.Errorf("batch: found %d, expected 1 to 10000", b.Batch)
	}

	return nil
}

// Duration is a duration that is written in Go's form in JSON: "10s".
type Duration struct{ time.Duration }

// UnmarshalJSON reads a string in Go's form.
func (d *Duration) UnmarshalJSON(data []byte) (err error) {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("found %s, expected a duration like \"10s\"", data)
	}

	if d.Duration, err = time.ParseDuration(text); err != nil {
		return fmt.Errorf("found %q, expected a duration like \"10s\"", text)
	}

	return nil
}
