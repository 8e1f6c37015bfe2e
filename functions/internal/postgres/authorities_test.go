package postgres

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The list has the authorities of every region, and none that has expired.
func TestAuthorities(t *testing.T) {
	seen := map[string]int{}

	for rest := []byte(rds); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}

		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}

		if !c.IsCA || time.Now().AddDate(5, 0, 0).After(c.NotAfter) {
			t.Errorf("%s: an authority: %t, until %s", c.Subject.CommonName, c.IsCA, c.NotAfter)
		}

		if words := strings.Fields(c.Subject.CommonName); words[1] == "RDS" {
			seen[words[2]]++
		}
	}

	for _, region := range strings.Fields("us-east-1 us-east-2 us-west-1 us-west-2 ca-central-1 sa-east-1 eu-west-1 eu-west-2 eu-west-3 eu-central-1 eu-north-1 ap-south-1 ap-southeast-1 ap-southeast-2 ap-northeast-1") {
		if seen[region] != 3 {
			t.Errorf("%s has %d authorities, expected 3: RSA 2048, RSA 4096 and ECC 384", region,
				seen[region])
		}
	}
}

func TestOpen_VerifiesTheServer(t *testing.T) {
	known, server := authority(t)

	stranger, _ := authority(t)
	for name, test := range map[string]struct {
		host, authorities string
		trusted           bool
		says              string
	}{
		"known":                {"127.0.0.1", known, true, ""},
		"unknown to the world": {"127.0.0.1", "", false, "unknown authority"},
		"of another authority": {"127.0.0.1", stranger, false, "unknown authority"},
		"under another name":   {"localhost", known, false, "localhost"},
		"not PEM":              {"127.0.0.1", "/etc/ca.pem", false, "expected PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			port, trusted := serveTLS(t, server)
			c := Connection{URL: "postgres://u:sesame@" + test.host + ":" + port + "/d?sslmode=verify-full",
				Authorities: test.authorities}

			_, err := Open(t.Context(), c, Options{})
			if err == nil || !strings.Contains(err.Error(), test.says) ||
				strings.Contains(err.Error(), "sesame") {
				t.Errorf("got %v, expected %q in it and no password", err, test.says)
			}

			if got := trusted.Load(); got != test.trusted {
				t.Errorf("the server was trusted: %t, expected %t", got, test.trusted)
			}
		})
	}
}

// authority is a new authority, as PEM, and a certificate by it for a server at 127.0.0.1.
func authority(t *testing.T) (authority string, server tls.Certificate) {
	t.Helper()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}

	root := &x509.Certificate{SerialNumber: big.NewInt(1),
		Subject: pkix.Name{CommonName: "A test's own authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	rootDER, err1 := x509.CreateCertificate(rand.Reader, root, root, &key.PublicKey, key)

	leafDER, err2 := x509.CreateCertificate(rand.Reader, leaf, root, &key.PublicKey, key)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}

	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE",
		Bytes: rootDER})), tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: key}
}

// serveTLS is the part of a Postgres server that negotiates TLS.
func serveTLS(t *testing.T, certificate tls.Certificate) (port string, trusted *atomic.Bool) {
	t.Helper()

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { l.Close() })

	trusted = new(atomic.Bool)

	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}

			if _, err := io.ReadFull(conn, make([]byte, 8)); err == nil { // SSLRequest
				_, _ = conn.Write([]byte{'S'})

				secure := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate},
					MinVersion: tls.VersionTLS12})
				if n, _ := secure.Read(make([]byte, 1)); n == 1 { // who does not trust it sends nothing
					trusted.Store(true)
				}
			}

			conn.Close()
		}
	}()

	_, port, _ = net.SplitHostPort(l.Addr().String())

	return port, trusted
}
