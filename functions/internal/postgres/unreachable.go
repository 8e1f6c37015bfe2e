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

// unreachable wraps an error that says that the database is unreachable in ErrUnreachable. The
// statement may have taken effect or not.
func unreachable(err error) error {
	if !broken(err) {
		return err
	}

	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// broken tells whether the error is one of the connection, or of a server that stops or starts.
func broken(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}

	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		// admin_shutdown, crash_shutdown, cannot_connect_now, too_many_connections
		case "57P01", "57P02", "57P03", "53300":
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
