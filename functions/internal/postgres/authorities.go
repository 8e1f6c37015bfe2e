package postgres

import (
	"crypto/tls"
	"crypto/x509"
	_ "embed" // the authorities
	"errors"

	"github.com/jackc/pgx/v5"
)

//go:generate go run authorities_generate.go

// rds has the certificate authorities of RDS, as PEM: no system trusts them by default.
//
//go:embed authorities.pem
var rds string

// trust makes a connection verify its server by the given authorities, which are PEM, or without
// any by those of the system and of RDS. A connection that verifies nothing stays as it is, and so
// does one whose URL names a file of authorities.
func trust(config *pgx.ConnConfig, given string) error {
	pool := x509.NewCertPool()

	if given == "" {
		if system, err := x509.SystemCertPool(); err == nil {
			pool = system
		}

		given = rds
	}

	if !pool.AppendCertsFromPEM([]byte(given)) {
		return errors.New("sslrootcert: found no certificate, expected PEM: -----BEGIN CERTIFICATE-----")
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
