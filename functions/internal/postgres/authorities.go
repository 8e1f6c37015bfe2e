package postgres

import (
	"crypto/tls"
	"crypto/x509"
	_ "embed" // the authorities
	"errors"

	"github.com/jackc/pgx/v5"
)

//go:generate go run authorities_generate.go

// rds are the certificate authorities of RDS, which has its own that no system trusts unasked.
//
//go:embed authorities.pem
var rds string

// trust makes a connection that verifies its server do so by the given authorities or, without
// any, by those of the system and of RDS. One that names a file of its own, or verifies nothing,
// is left as it is.
func trust(config *pgx.ConnConfig, given string) error {
	pool := x509.NewCertPool()

	if given == "" {
		if system, err := x509.SystemCertPool(); err == nil {
			pool = system
		}

		given = rds
	}

	if !pool.AppendCertsFromPEM([]byte(given)) {
		return errors.New("found no certificate among the database's authorities, expected PEM: " +
			"-----BEGIN CERTIFICATE-----")
	}

	servers := []*tls.Config{config.TLSConfig}
	for _, f := range config.Fallbacks {
		servers = append(servers, f.TLSConfig)
	}

	for _, s := range servers {
		if s != nil && s.RootCAs == nil {
			s.RootCAs = pool
		}
	}

	return nil
}
