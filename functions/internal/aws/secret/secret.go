// Package secret turns the database's secret into a connection string. No error and no log has
// anything from the secret.
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
	// SSLMode is for secrets without a sslmode of their own. New takes it from PGSSLMODE, which every
	// Postgres client reads, or else verify-full.
	SSLMode string
}

// New opens Secrets Manager.
func New(client *secretsmanager.Client) *Secrets {
	return &Secrets{client, cmp.Or(os.Getenv("PGSSLMODE"), "verify-full")}
}

// connection has the fields of a secret that RDS makes, and two of libpq's.
type connection struct {
	Host        string `json:"host"`
	Port        port   `json:"port"`
	DBName      string `json:"dbname"`
	Username    string `json:"username"`
	Password    string `json:"password"`
	SSLMode     string `json:"sslmode"`
	SSLRootCert string `json:"sslrootcert"`
}

// port is a number in secrets that RDS makes, and often a string in those that people make.
type port string

// UnmarshalJSON accepts a number and a string.
func (p *port) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	if _, err := strconv.ParseUint(text, 10, 16); err != nil {
		return errors.New("not a port")
	}

	*p = port(text)

	return nil
}

// Connection reads the secret with this ARN, a JSON object {host, port, dbname, username, password,
// sslmode, sslrootcert}, as a postgres:// URL. port, sslmode and sslrootcert are optional. An
// sslrootcert may be a path, which goes into the URL, or PEM, which is returned as authorities: a
// Lambda has no file to put it in.
func (s *Secrets) Connection(ctx context.Context, arn string) (address, authorities string,
	err error) {
	out, err := s.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		return "", "", awserr.Wrap(err, "read secret %s", arn)
	}

	c := connection{Port: "5432", SSLMode: s.SSLMode}
	// The error of Unmarshal would quote the secret.
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
		Scheme: "postgres", User: url.UserPassword(c.Username, c.Password),
		Host: net.JoinHostPort(c.Host, string(c.Port)),
		Path: "/" + c.DBName, RawQuery: query.Encode(),
	}

	return u.String(), authorities, nil
}
