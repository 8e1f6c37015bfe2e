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

// borrow makes a new database on the server that DATABASE_URL names. It never touches the databases
// that exist there.
func borrow(ctx context.Context, given string) (*Server, error) {
	u, err := url.Parse(given)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") || u.Host == "" {
		// The parser's own error would print the password.
		return nil, errors.New("DATABASE_URL: expected postgres://user:password@host:port/database")
	}

	name := "lockstep_" + strings.ToLower(rand.Text()[:10])
	if err := onServer(ctx, given, "CREATE DATABASE "+name); err != nil {
		return nil, fmt.Errorf("DATABASE_URL: create a database at %s: %w", u.Host, err)
	}

	own := *u
	own.Path = "/" + name
	place := Place{URL: own.String(), Given: given}

	return &Server{url: &own, place: place, stop: func() error { return nil }}, nil
}

// borrowed returns the database that an earlier process made on a borrowed server.
func (p Place) borrowed(ctx context.Context) (*Server, error) {
	u, err := url.Parse(p.URL)
	if err != nil {
		return nil, errors.New("parse the saved address of the database: it is not a URL")
	}

	if err := onServer(ctx, p.URL, "SELECT 1"); err != nil {
		return nil, fmt.Errorf("connect again to the database %s at %s: %w", u.Path[1:], u.Host, err)
	}

	return &Server{url: u, place: p, stop: func() error { return nil }}, nil
}

// drop drops the database that borrow made.
func (p Place) drop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()

	name := p.URL[strings.LastIndex(p.URL, "/lockstep_")+1:]
	name, _, _ = strings.Cut(name, "?")

	return onServer(ctx, p.Given, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
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
