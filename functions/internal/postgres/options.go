package postgres

import (
	"time"

	"github.com/jackc/pgx/v5"
)

// Connection says which database.
type Connection struct {
	// URL is postgres://user:password@host:port/database?sslmode=...
	URL string
	// Authorities are the certificates, as PEM, that sslmode=verify-full trusts. Default: those of the
	// system and of RDS.
	Authorities string
}

// Options bound how long the application waits, and keep stale writers out.
type Options struct {
	// LockTimeout is how long a statement may wait for a lock, and how long the application's queries
	// may wait for the statement. After that, it is canceled and retried. The default and the maximum
	// is half of the server's deadlock_timeout: in a deadlock between the two, the statement then
	// gives way before the server cancels the application's query.
	LockTimeout time.Duration
	// Patience is how long a call may spend, in all, on statements that were canceled or got no lock.
	// Default: 2 min.
	Patience time.Duration
	// Fence is the fencing token, and Ledger the ledger that counts it. The database keeps the highest
	// token of each ledger, and refuses a call with a lower one, which is a stale writer's. A call
	// with 0 is never refused, and keeps nobody out.
	Fence  int64
	Ledger string

	trace pgx.QueryTracer // of tests that kill
}
