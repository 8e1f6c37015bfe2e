package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/jackc/pgx/v5"
)

// DB is the part of a Postgres connection that a handle needs.
type DB interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// postgres keeps one connection: a Lambda process serves one call at a time.
type postgres struct {
	secrets *secretsmanager.Client
	conn    *pgx.Conn
	name    string // the session's application_name
}

// connect returns a session whose application_name is the release, since contract waits for the
// sessions of other releases. The release is the call's, not the code's: unchanged code serves two
// releases from one process.
func (p *postgres) connect(ctx context.Context, release string) (DB, error) {
	if p.conn == nil || p.conn.IsClosed() {
		if err := p.open(ctx); err != nil {
			return nil, err
		}
	}

	if name := "shop@" + release; p.name != name {
		const statement = "SELECT set_config('application_name', $1, false)"
		if _, err := p.conn.Exec(ctx, statement, name); err != nil {
			return nil, fmt.Errorf("set application_name to %s: %w", name, err)
		}

		p.name = name
	}

	return p.conn, nil
}

func (p *postgres) open(ctx context.Context) error {
	address, err := p.address(ctx)
	if err != nil {
		return fmt.Errorf("connect to Postgres: %w", err)
	}

	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return fmt.Errorf("connect to Postgres: %w", err)
	}

	p.conn, p.name = conn, ""

	return nil
}

// address reads the secret anew for each connection, since the password may have changed. The error
// for a secret that is not JSON leaves out the parser's error, which would quote the secret.
func (p *postgres) address(ctx context.Context) (string, error) {
	arn := os.Getenv("DATABASE_SECRET")
	if arn == "" {
		return "", errors.New("DATABASE_SECRET: found nothing, expected the ARN of the secret")
	}

	if p.secrets == nil {
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return "", err
		}

		p.secrets = secretsmanager.NewFromConfig(cfg)
	}

	out, err := p.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		return "", err
	}

	// The default does not verify the server: RDS has its own certificate authorities, whose
	// certificates the function would have to bring along.
	secret := struct {
		Host, DBName, Username, Password, SSLMode string
		Port                                      json.Number
	}{SSLMode: "require", Port: "5432"}
	if json.Unmarshal([]byte(aws.ToString(out.SecretString)), &secret) != nil {
		return "", fmt.Errorf(
			"secret %s: expected a JSON object with host, port, dbname, username and password", arn)
	}

	address := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(secret.Username, secret.Password),
		Host:     net.JoinHostPort(secret.Host, secret.Port.String()),
		Path:     secret.DBName,
		RawQuery: url.Values{"sslmode": {secret.SSLMode}}.Encode(),
	}

	return address.String(), nil
}

// Rows runs a query and collects its rows by the `db` tags of T. The result is never nil, so that
// it is a list in JSON.
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
