// Package secret turns the database's secret into a connection string. What it reads is in no
// error and no log.
package secret

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"lockstep/functions/internal/aws/awserr"
)

type api interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput,
		...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// Secrets reads secrets.
type Secrets struct {
	client api
	// SSLMode holds where the secret has no sslmode of its own. New takes PGSSLMODE, which every
	// Postgres client reads, and else verify-full.
	SSLMode string
}

// New opens Secrets Manager.
func New(client *secretsmanager.Client) *Secrets {
	return &Secrets{client, cmp.Or(os.Getenv("PGSSLMODE"), "verify-full")}
}

// connection has the fields that RDS gives a secret, and two that libpq knows.
type connection struct {
	Host        string `json:"host"`
	Port        port   `json:"port"`
	DBName      string `json:"dbname"`
	Username    string `json:"username"`
	Password    string `json:"password"`
	SSLMode     string `json:"sslmode"`
	SSLRootCert string `json:"sslrootcert"`
}

// port is a number in secrets that RDS made, and often a string in those that people made.
type port string

// UnmarshalJSON takes both.
func (p *port) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	if _, err := strconv.ParseUint(text, 10, 16); err != nil {
		return errors.New("no port")
	}

	*p = port(text)

	return nil
}

// Connection reads the secret {host, port, dbname, username, password, sslmode, sslrootcert}, of
// which port and the last two may be left out, as a postgres:// URL. An sslrootcert that is no
// path but PEM comes apart: a Lambda has no file to put it in.
func (s *Secrets) Connection(ctx context.Context, arn string) (address, authorities string,
	err error) {
	out, err := s.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		return "", "", awserr.Wrap(err, "read secret %s", arn)
	}

	c := connection{Port: "5432", SSLMode: s.SSLMode}
	// its error would quote the secret
	if json.Unmarshal([]byte(aws.ToString(out.SecretString)), &c) != nil {
		return "", "", fmt.Errorf("read secret %s: found no JSON object with the texts host, dbname, "+
			"username and password and the number port", arn)
	}

	for _, field := range []struct{ name, value string }{
		{"host", c.Host}, {"dbname", c.DBName}, {"username", c.Username}, {"password", c.Password},
	} {
		if field.value == "" {
			return "", "", fmt.Errorf("read secret %s: %s: found nothing, expected a text", arn, field.name)
		}
	}

	query := url.Values{"sslmode": {c.SSLMode}}
	if strings.Contains(c.SSLRootCert, "-----BEGIN") {
		authorities = c.SSLRootCert
	} else if c.SSLRootCert != "" {
		query.Set("sslrootcert", c.SSLRootCert)
	}

	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(c.Username, c.Password), Host: net.JoinHostPort(c.Host,
			string(c.Port)),
		Path: "/" + c.DBName, RawQuery: query.Encode(),
	}

	return u.String(), authorities, nil
}
