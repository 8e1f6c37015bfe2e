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

// Backfill is a declared UPDATE of all rows of a table that need it, a batch of keys at a time.
type Backfill struct {
	// Name is what its progress is kept under.
	Name string `json:"name"`
	// Table, with its schema if need be, and Key, a column of it that is unique and not null.
	Table string `json:"table"`
	Key   string `json:"key"`
	// Where tells the rows that still need it, and so when it is done: first_name IS NULL.
	Where string `json:"where"`
	// Batch is how many rows a transaction updates at most: fewer where that takes long. Default:
	// 1000.
	Batch int `json:"batch"`
	// Statement updates the rows whose keys are in $1, an array: UPDATE ... WHERE id = ANY($1).
	Statement string `json:"statement"`

	// MaxLag is how far a replica may lag before a batch waits for it. Default: "10s".
	MaxLag Duration `json:"maxLag"`
	// MaxLoad is how many sessions of the application may be active at once before a batch waits.
	// Default: any number; a batch is followed by a pause as long as itself in any case.
	MaxLoad int `json:"maxLoad"`

	File string `json:"-"` // as in the bundle
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
			wrong = append(wrong, fmt.Errorf("%s: name: found %q again, which %s has", b.File, b.Name,
				other))
		}

		files[b.Name] = b.File
		all = append(all, b)
	}

	return all, errors.Join(wrong...)
}

func (b *Backfill) load(migrations fs.FS) error {
	if path.Ext(b.File) != ".json" {
		return errors.New("found a name of another form, expected one that ends in .json")
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
		return errors.New("found more after the JSON object, expected its end")
	}

	for _, field := range []struct{ name, value string }{
		{"name", b.Name}, {"table", b.Table}, {"key", b.Key}, {"where", b.Where}, {"statement",
			b.Statement},
	} {
		if strings.TrimSpace(field.value) == "" {
			return fmt.Errorf("%s: found nothing, expected a text", field.name)
		}
	}

	if !strings.Contains(b.Statement, "$1") {
		return fmt.Errorf("statement: found no $1, expected the batch's keys in it: UPDATE %s SET ... "+
			"WHERE %s = ANY($1)", b.Table, b.Key)
	}

	if b.MaxLag.Duration <= 0 {
		return fmt.Errorf("maxLag: found %s, expected more than nothing", b.MaxLag)
	}

	if b.MaxLoad < 0 {
		return fmt.Errorf("maxLoad: found %d, expected a number of sessions, or 0 for any", b.MaxLoad)
	}

	if b.Batch < 1 || b.Batch > 10_000 {
		return fmt.Errorf("batch: found %d, expected 1 to 10000", b.Batch)
	}

	return nil
}

// Duration is one in Go's form: "10s".
type Duration struct{ time.Duration }

// UnmarshalJSON reads it.
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
