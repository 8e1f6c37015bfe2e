// Package postgres gives the local run and the tests a real Postgres with nothing to set up by
// hand: the one that DATABASE_URL names, else one of this machine, else one fetched with npm. It
// exists because locks, triggers and version tables can be judged on nothing less.
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

// Options says where the server lives and who reads its log.
type Options struct {
	// Dir is the folder in which the server makes its own, which Stop removes. Default: os.TempDir().
	Dir string
	// Major is the version that it must have, fetched with npm. Default: 0, whichever is at hand.
	Major int
	// Again is the place of a server whose process was killed: this one goes on with its data, at its
	// address.
	Again *Place
	// Log gets what Postgres and npm print. Default: nobody.
	Log io.Writer
}

// Server is a running Postgres with one empty database.
type Server struct {
	url   *url.URL
	pid   atomic.Int64
	place Place
	stop  func() error
}

// Start gives a server that answers. The context bounds the start, not the server's life.
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

// URL is the connection as a client takes it, password included.
func (s *Server) URL() string { return s.url.String() }

// PID is the server's process, or 0 where somebody else runs it.
func (s *Server) PID() int { return int(s.pid.Load()) }

// Secret is the connection in the form that RDS keeps in Secrets Manager, with an sslmode because a
// server on loopback speaks no TLS.
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

// Place is where a later process finds what this server knows.
func (s *Server) Place() Place { return s.place }

// Stop ends the server, or drops the database made in a borrowed one, and removes what Start made.
// A second call does nothing.
func (s *Server) Stop() error {
	running := s.stop != nil

	err := s.Leave()
	if running {
		err = errors.Join(err, s.place.Remove(context.Background()))
	}

	return err
}

// Leave ends the server, and leaves its data where another may go on with it.
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
