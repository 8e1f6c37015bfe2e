package s3_test

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"lockstep/infra/local/cloud"
)

// Over TLS the SDK sends the aws-chunked encoding with a checksum in the trailer.
func TestPutObject_TrailingChecksums(t *testing.T) {
	service, _ := open(t)
	tls := client(service, func(o *awss3.Options) { o.BaseEndpoint = aws.String("https://127.0.0.1") })

	body := strings.Repeat("lockstep ", 20_000)
	for _, algorithm := range []types.ChecksumAlgorithm{"CRC32", "CRC32C", "CRC64NVME", "SHA1",
		"SHA256"} {
		_, err := put(t, tls, "k", body, func(in *awss3.PutObjectInput) {
			in.ChecksumAlgorithm, in.ContentEncoding = algorithm, aws.String("gzip")
			in.Body = io.LimitReader(strings.NewReader(body), int64(len(body))) // not seekable
			in.ContentLength = aws.Int64(int64(len(body)))
		})
		if err != nil {
			t.Errorf("%s: %v", algorithm, err)
		} else if o, _ := service.Get(bucket, "k"); string(o.Body) != body ||
			o.ContentEncoding != "gzip" {
			t.Errorf("%s: %d bytes arrived, encoding %q", algorithm, len(o.Body), o.ContentEncoding)
		}
	}
}

func TestPutObject_WrongDigest(t *testing.T) {
	service, _ := open(t)

	cases := map[string]struct {
		headers map[string]string
		body    string
		code    string
	}{
		"checksum":    {map[string]string{"X-Amz-Checksum-Crc32": "AAAAAA=="}, "x", "BadDigest"},
		"no checksum": {map[string]string{"X-Amz-Checksum-Sha256": "short"}, "x", "InvalidDigest"},
		"signed payload": {map[string]string{"X-Amz-Content-Sha256": strings.Repeat("0", 64)}, "x",
			"XAmzContentSHA256Mismatch"},
		"trailer": {chunked("1", "x-amz-checksum-crc32"),
			"1\r\nx\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "BadDigest"},
		"missing trailer": {chunked("1", "x-amz-checksum-crc32"), "1\r\nx\r\n0\r\n\r\n",
			"MalformedTrailerError"},
		"short chunk":  {chunked("5", ""), "5\r\nx", "IncompleteBody"},
		"other length": {chunked("7", ""), "1\r\nx\r\n0\r\n\r\n", "IncompleteBody"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://127.0.0.1/state/k",
				strings.NewReader(tc.body))
			if err != nil {
				t.Fatal(err)
			}

			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/s3/aws4_request, SignedHeaders=host")

			for name, value := range tc.headers {
				r.Header.Set(name, value)
			}

			response, err := cloud.NewEndpoint(map[string]http.Handler{"s3": service}).Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}

			answer, _ := io.ReadAll(response.Body)
			if !bytes.Contains(answer, []byte("<Code>"+tc.code+"</Code>")) {
				t.Fatalf("answer is %d %s, want %s", response.StatusCode, answer, tc.code)
			}

			if _, ok := service.Get(bucket, "k"); ok {
				t.Fatal("the object was written all the same")
			}
		})
	}
}

func chunked(length, trailer string) map[string]string {
	return map[string]string{
		"X-Amz-Content-Sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Decoded-Content-Length": length, "X-Amz-Trailer": trailer,
	}
}

func TestMultipartUpload(t *testing.T) {
	service, c := open(t)
	ctx := t.Context()

	created, err := c.CreateMultipartUpload(ctx, &awss3.CreateMultipartUploadInput{
		Bucket: aws.String(bucket), Key: aws.String("big"), ContentType: aws.String("application/zip"),
	})
	if err != nil {
		t.Fatal(err)
	}

	var parts []types.CompletedPart

	for number, body := range map[int32]string{1: strings.Repeat("a", 5<<20), 2: "b"} {
		out, err := c.UploadPart(ctx, &awss3.UploadPartInput{
			Bucket: aws.String(bucket), Key: aws.String("big"), UploadId: created.UploadId, PartNumber: aws.Int32(number), Body: strings.NewReader(body),
		})
		if err != nil {
			t.Fatal(err)
		}

		parts = append(parts, types.CompletedPart{PartNumber: aws.Int32(number), ETag: out.ETag})
	}

	slices.SortFunc(
		parts, func(a, b types.CompletedPart) int { return int(*a.PartNumber - *b.PartNumber) })

	complete := &awss3.CompleteMultipartUploadInput{
		Bucket: aws.String(bucket), Key: aws.String("big"), UploadId: created.UploadId, IfNoneMatch: aws.String("*"),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}
	if _, err := c.CompleteMultipartUpload(ctx, complete); err != nil {
		t.Fatal(err)
	}

	o, ok := service.Get(bucket, "big")
	if !ok || len(o.Body) != 5<<20+1 || o.ContentType != "application/zip" ||
		!strings.HasSuffix(o.ETag, `-2"`) {
		t.Fatalf("assembled %v, %d bytes, %s, %s", ok, len(o.Body), o.ContentType, o.ETag)
	}

	_, err = c.CompleteMultipartUpload(ctx, complete)
	wantCode(t, err, "NoSuchUpload")
}
