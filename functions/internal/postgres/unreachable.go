package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// reached makes ErrUnreachable of an error that says so: what was asked for may have happened or
// not.
func reached(err error) error {
	if !broken(err) {
		return err
	}

	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

func broken(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}

	var pg *pgconn.PgError
	if errors.As(err, &pg) { // it answers: no, or that it ends, or is not up yet
		switch pg.Code {
		case "57P01", "57P02", "57P03", "53300": // admin_shutdown, crash_shutdown, cannot_connect_now, too_many_connections
			return true
		}

		return strings.HasPrefix(pg.Code, "08") // connection_exception
	}

	var (
		refused *pgconn.ConnectError
		network net.Error
	)

	return errors.As(err, &refused) || errors.As(err, &network) ||
		errors.Is(err, io.ErrUnexpectedEOF) || pgconn.SafeToRetry(err)
}
