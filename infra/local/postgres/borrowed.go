package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// borrow makes a database of our own on the server that DATABASE_URL names. What is there is never
// touched: it may be somebody's work.
func borrow(ctx context.Context, given string) (*Server, error) {
	u, err := url.Parse(given)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") || u.Host == "" {
		// The parser's own error would print the password.
		return nil, errors.New("DATABASE_URL: expected postgres://user:password@host:port/database")
	}
	name := "lockstep_" + strings.ToLower(rand.Text()[:10])
	if err := onServer(ctx, given, "CREATE DATABASE "+name); err != nil {
		return nil, fmt.Errorf("DATABASE_URL: make a database of our own at %s: %w", u.Host, err)
	}
	own := *u
	own.Path = "/" + name
	return &Server{url: &own, stop: func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return onServer(ctx, given, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	}}, nil
}

func onServer(ctx context.Context, url, statement string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, statement)
	return err
}
