package api

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5"
)

// DB is what a handle needs of Postgres.
type DB interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// postgres keeps one connection: a Lambda process serves one call at a time.
type postgres struct {
	conn *pgx.Conn
	name string // which the session has
}

// connect gives a session that says for which release it is used: a contract waits for those of others. The
// call's release counts and not the code's: unchanged code serves two releases from one process.
func (p *postgres) connect(ctx context.Context, release string) (DB, error) {
	if p.conn == nil || p.conn.IsClosed() {
		if err := p.open(ctx); err != nil {
			return nil, err
		}
	}
	if name := "shop@" + release; p.name != name {
		if _, err := p.conn.Exec(ctx, "SELECT set_config('application_name', $1, false)", name); err != nil {
			return nil, fmt.Errorf("tell Postgres for which release: %w", err)
		}
		p.name = name
	}
	return p.conn, nil
}

func (p *postgres) open(ctx context.Context) error {
	url := os.Getenv("DATABASE_URL")
	if url == "" {
		return errors.New("connect to Postgres: DATABASE_URL is empty, expected postgres://user:password@host/database")
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect to Postgres: %w", err)
	}
	p.conn, p.name = conn, ""
	return nil
}

// Rows runs a query and collects its rows by the `db` tags of T; never nil, so that JSON has a list.
func Rows[T any](ctx context.Context, db DB, sql string, args ...any) ([]T, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[T])
	if list == nil {
		list = []T{}
	}
	return list, err
}
