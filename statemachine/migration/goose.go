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

// Parse finds a file's statements. Goose keeps its parser to itself, so it is given a database
// that only listens: what we check is then what will run.
func Parse(p Phase, version int64, name string, body []byte) (File, error) {
	f := File{Phase: p, Version: version, Name: name, Body: body}
	if bytes.Contains(body, []byte("+goose ENVSUB ON")) {
		return f, errors.New(
			"found ENVSUB, expected the whole statement: the environment that it would " +
				"be taken from is a Lambda's")
	}

	for up, statements := range map[bool]*[]string{true: &f.Up, false: &f.Down} {
		l := new(listener)

		db := sql.OpenDB(l)
		defer db.Close()

		provider, err := goose.NewProvider(goose.DialectPostgres, db, f.Alone(),
			goose.WithDisableVersioning(true),
			goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
		if err != nil {
			return f, err
		}

		if _, err := provider.ApplyVersion(context.Background(), version, up); err != nil {
			return f, err
		}

		*statements = l.heard
		f.Transaction = f.Transaction || l.transaction
	}

	return f, nil
}

// Alone is the file as a file system of its own.
func (f File) Alone() fs.FS {
	var buffer bytes.Buffer

	w := zip.NewWriter(&buffer)
	entry, _ := w.Create(path.Base(f.Name)) // writing to memory does not fail
	_, _ = entry.Write(f.Body)
	_ = w.Close()

	r, err := zip.NewReader(bytes.NewReader(buffer.Bytes()), int64(buffer.Len()))
	if err != nil {
		panic(err) // we wrote it
	}

	return r
}

// listener is a database that agrees to every statement and does none.
type listener struct {
	heard       []string
	transaction bool
}

func (l *listener) Connect(context.Context) (driver.Conn, error) { return l, nil }
func (l *listener) Driver() driver.Driver                        { return nil }
func (l *listener) Close() error                                 { return nil }
func (l *listener) Commit() error                                { return nil }
func (l *listener) Rollback() error                              { return nil }

func (l *listener) Prepare(string) (driver.Stmt, error) { return nil, errors.ErrUnsupported }

func (l *listener) Begin() (driver.Tx, error) {
	l.transaction = true
	return l, nil
}

func (l *listener) ExecContext(_ context.Context, query string,
	_ []driver.NamedValue) (driver.Result, error) {
	l.heard = append(l.heard, query)
	return driver.RowsAffected(0), nil
}
