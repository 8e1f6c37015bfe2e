package s3

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// payload reads the body of an upload and holds it to every digest that came with it, in a header
// or, where the body is aws-chunked, in its trailer.
func payload(r *http.Request) ([]byte, error) {
	sums := r.Header
	signed := r.Header.Get("X-Amz-Content-Sha256")

	var (
		body []byte
		err  error
	)
	if strings.HasPrefix(signed, "STREAMING-") {
		body, sums, err = dechunk(r)
	} else if body, err = io.ReadAll(r.Body); err == nil &&
		len(signed) == hex.EncodedLen(sha256.Size) {
		if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != signed {
			err = refuse(http.StatusBadRequest, "XAmzContentSHA256Mismatch",
				"The provided 'x-amz-content-sha256' header does not match what was computed.")
		}
	}

	if err != nil {
		return nil, incomplete(err)
	}

	if want := r.Header.Get("Content-MD5"); want != "" {
		if err := compare("Content-MD5", want, md5.New(), body); err != nil {
			return nil, err
		}
	}

	for name, algorithm := range checksums {
		header := "X-Amz-Checksum-" + name
		if want := sums.Get(header); want != "" {
			if err := compare(header, want, algorithm(), body); err != nil {
				return nil, err
			}
		}
	}

	return body, nil
}

// crc64nvme is the polynomial, reversed, of the checksum that newer SDKs and the CLI send by
// default.
const crc64nvme = 0x9a6c9329ac4bc9b5

var checksums = map[string]func() hash.Hash{
	"Crc32":     func() hash.Hash { return crc32.NewIEEE() },
	"Crc32c":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"Crc64nvme": func() hash.Hash { return crc64.New(crc64.MakeTable(crc64nvme)) },
	"Sha1":      sha1.New,
	"Sha256":    sha256.New,
}

func compare(header, want string, h hash.Hash, body []byte) error {
	decoded, err := base64.StdEncoding.DecodeString(want)
	if err != nil || len(decoded) != h.Size() {
		return refuse(http.StatusBadRequest, "InvalidDigest", "The "+header+
			" you specified is not valid.")
	}

	h.Write(body)

	if !bytes.Equal(decoded, h.Sum(nil)) {
		return refuse(http.StatusBadRequest, "BadDigest", "The "+header+
			" you specified did not match the calculated checksum.")
	}

	return nil
}

// dechunk reads the aws-chunked encoding: chunks of `SIZE[;chunk-signature=...]\r\nDATA\r\n`, one
// of size 0, a trailer.
func dechunk(r *http.Request) ([]byte, http.Header, error) {
	in := bufio.NewReader(r.Body)

	var body bytes.Buffer

	for {
		head, err := line(in)
		if err != nil {
			return nil, nil, err
		}

		digits, _, _ := strings.Cut(head, ";")

		size, err := strconv.ParseInt(digits, 16, 63)
		if err != nil {
			return nil, nil, fmt.Errorf("read aws-chunked body: chunk size %q: %w", digits, err)
		}

		if size == 0 {
			break
		}

		if _, err := io.CopyN(&body, in, size); err != nil {
			return nil, nil, err
		}

		if end, err := line(in); err != nil || end != "" {
			return nil, nil, errors.Join(err,
				errors.New("read aws-chunked body: a chunk is longer than its size"))
		}
	}

	trailer, err := readTrailer(in)
	if err != nil {
		return nil, nil, err
	}

	for name := range strings.SplitSeq(r.Header.Get("X-Amz-Trailer"), ",") {
		if name = strings.TrimSpace(name); name != "" && trailer.Get(name) == "" {
			return nil, nil, refuse(http.StatusBadRequest, "MalformedTrailerError",
				"The request promised a trailer "+name+" and sent none")
		}
	}

	if want := r.Header.Get("X-Amz-Decoded-Content-Length"); want != strconv.Itoa(body.Len()) {
		return nil, nil, fmt.Errorf(
			"read aws-chunked body: %d bytes, x-amz-decoded-content-length says %q", body.Len(), want)
	}

	return body.Bytes(), trailer, nil
}

func readTrailer(in *bufio.Reader) (http.Header, error) {
	trailer := http.Header{}

	for {
		field, err := line(in)
		if field == "" || errors.Is(err, io.EOF) {
			return trailer, nil
		}

		if err != nil {
			return nil, err
		}

		name, value, _ := strings.Cut(field, ":")
		trailer.Set(name, strings.TrimSpace(value))
	}
}

func line(in *bufio.Reader) (string, error) {
	text, err := in.ReadString('\n')
	return strings.TrimRight(text, "\r\n"), err
}

// incomplete words whatever cut a body short as S3 does; a refusal stays what it is.
func incomplete(err error) error {
	if refusal := refusalOf(err); refusal.Code != "InternalError" {
		return err
	}

	return refuse(http.StatusBadRequest, "IncompleteBody", err.Error())
}

// contentEncoding is what was said of the object; aws-chunked is only how it travelled.
func contentEncoding(h http.Header) string {
	var codings []string
	for coding := range strings.SplitSeq(strings.Join(h.Values("Content-Encoding"), ","), ",") {
		codings = append(codings, strings.TrimSpace(coding))
	}

	codings = slices.DeleteFunc(codings, func(c string) bool { return c == "" || c == "aws-chunked" })

	return strings.Join(codings, ",")
}
