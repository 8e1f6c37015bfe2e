package migration

import (
	"archive/zip"
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io/fs"
	"path"

	"github.com/pressly/goose/v3"
)

// Parse finds the statements of a file. Goose does not export its parser, so Parse runs goose on a
// database that only records the statements: those that are checked are those that will run.
func Parse(p Phase, version int64, name string, body []byte) (File, error) {
	f := File{Phase: p, Version: version, Name: name, Body: body}
	if bytes.Contains(body, []byte("+goose ENVSUB ON")) {
		return f, errors.New("found ENVSUB, which would substitute a Lambda's environment variables; " +
			"write the whole statement")
	}

	for up, statements := range map[bool]*[]string{true: &f.Up, false: &f.Down} {
		r := new(recorder)

		db := sql.OpenDB(r)
		defer db.Close()

		provider, err := goose.NewProvider(goose.DialectPostgres, db, f.Alone(),
			goose.WithDisableVersioning(true), goose.WithDisableGlobalRegistry(true),
			goose.WithLogger(goose.NopLogger()))
		if err != nil {
			return f, err
		}

		if _, err := provider.ApplyVersion(context.Background(), version, up); err != nil {
			return f, err
		}

		*statements = r.statements
		f.Transaction = f.Transaction || r.transaction
	}

	return f, nil
}

// Alone is a file system with this file only.
func (f File) Alone() fs.FS {
	var buffer bytes.Buffer

	w := zip.NewWriter(&buffer)
	entry, _ := w.Create(path.Base(f.Name)) // memory does not fail
	_, _ = entry.Write(f.Body)
	_ = w.Close()

	r, err := zip.NewReader(bytes.NewReader(buffer.Bytes()), int64(buffer.Len()))
	if err != nil {
		panic(err) // it was just written
	}

	return r
}

// recorder is a database that records every statement and runs none.
type recorder struct {
	statements  []string
	transaction bool
}

func (r *recorder) Connect(context.Context) (driver.Conn, error) { return r, nil }
func (r *recorder) Driver() driver.Driver                        { return nil }
func (r *recorder) Close() error                                 { return nil }
func (r *recorder) Commit() error                                { return nil }
func (r *recorder) Rollback() error                              { return nil }

func (r *recorder) Prepare(string) (driver.Stmt, error) { return nil, errors.ErrUnsupported }

func (r *recorder) Begin() (driver.Tx, error) {
	r.transaction = true
	return r, nil
}

func (r *recorder) ExecContext(_ context.Context, query string,
	_ []driver.NamedValue) (driver.Result, error) {
	r.statements = append(r.statements, query)
	return driver.RowsAffected(0), nil
}
