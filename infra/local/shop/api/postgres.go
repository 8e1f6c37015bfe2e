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
type postgres struct{ conn *pgx.Conn }

func (p *postgres) connect(ctx context.Context) (DB, error) {
	if p.conn != nil && !p.conn.IsClosed() {
		return p.conn, nil
	}
	url := os.Getenv("DATABASE_URL")
	if url == "" {
		return nil, errors.New("connect to Postgres: DATABASE_URL is empty, expected postgres://user:password@host/database")
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("connect to Postgres: %w", err)
	}
	p.conn = conn
	return conn, nil
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
