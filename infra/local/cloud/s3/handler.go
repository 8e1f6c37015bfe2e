package s3

import (
	"encoding/xml"
	"net/http"
	"strings"
)

// ServeHTTP serves path-style requests: /bucket and /bucket/key.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	bucket, key := target(r)

	var err error

	switch operation := s.Operation(r); operation {
	case "ListBuckets":
		err = s.listBuckets(w)
	case "ListObjectsV2":
		err = s.listObjects(w, r, bucket)
	case "ListObjectVersions":
		err = s.listVersions(w, r, bucket)
	case "HeadBucket":
		_, _, err = s.keys(bucket)
	case "GetBucketLocation":
		err = s.bucketLocation(w, bucket)
	case "DeleteObjects":
		err = s.deleteObjects(w, r, bucket)
	case "GetObject", "GetObjectVersion", "HeadObject":
		err = s.getObject(w, r, bucket, key)
	case "PutObject":
		err = s.putObject(w, r, bucket, key)
	case "CopyObject":
		err = s.copyObject(w, r, bucket, key)
	case "DeleteObject", "DeleteObjectVersion":
		err = s.deleteObject(w, r, bucket, key)
	case "CreateMultipartUpload":
		err = s.createUpload(w, r, bucket, key)
	case "UploadPart":
		err = s.uploadPart(w, r, bucket, key)
	case "CompleteMultipartUpload":
		err = s.completeUpload(w, r, bucket, key)
	case "AbortMultipartUpload":
		err = s.abortUpload(w, r, bucket, key)
	default:
		err = notImplemented(operation)
	}

	if err != nil {
		fail(w, r, err)
	}
}

// Operation names the operation that a request asks for, as the SDK names it. One that is not
// known here is named by its method, path and sub-resource.
func (s *Service) Operation(r *http.Request) string {
	bucket, key := target(r)
	query := r.URL.Query()

	var kind string

	switch {
	case bucket == "":
		kind = r.Method + " account"
	case key == "":
		kind = r.Method + " bucket"
	default:
		kind = r.Method + " object"
	}

	var resource string

	for name := range query {
		switch {
		case subresources[name]:
			resource = name
		case name == "list-type" && kind == "GET bucket":
			resource = "list"
		}
	}

	if query.Has("uploadId") {
		resource = "uploadId"
	}

	if r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") != "" {
		resource += "copy"
	}

	if name, ok := operations[kind+" "+resource]; ok {
		return name
	}

	return strings.TrimSpace(r.Method + " " + r.URL.Path + " " + resource)
}

var operations = map[string]string{
	"GET account ":            "ListBuckets",
	"GET bucket versions":     "ListObjectVersions",
	"GET object versionId":    "GetObjectVersion",    // GetObject, which IAM
	"DELETE object versionId": "DeleteObjectVersion", // calls so with a version
	"GET bucket list":         "ListObjectsV2",
	"GET bucket location":     "GetBucketLocation",
	"HEAD bucket ":            "HeadBucket",
	"POST bucket delete":      "DeleteObjects",
	"GET object ":             "GetObject",
	"HEAD object ":            "HeadObject",
	"PUT object ":             "PutObject",
	"PUT object copy":         "CopyObject",
	"DELETE object ":          "DeleteObject",
	"POST object uploads":     "CreateMultipartUpload",
	"PUT object uploadId":     "UploadPart",
	"POST object uploadId":    "CompleteMultipartUpload",
	"DELETE object uploadId":  "AbortMultipartUpload",
}

// subresources are the query parameters that make another operation of a request.
var subresources = map[string]bool{
	"accelerate": true, "acl": true, "analytics": true, "attributes": true, "cors": true,
	"delete": true, "encryption": true,
	"inventory": true, "legal-hold": true, "lifecycle": true, "location": true, "logging": true,
	"metrics":      true,
	"notification": true, "object-lock": true, "ownershipControls": true, "policy": true,
	"policyStatus":      true,
	"publicAccessBlock": true, "replication": true, "requestPayment": true, "restore": true,
	"retention": true, "select": true,
	"tagging": true, "torrent": true, "uploads": true, "versionId": true, "versioning": true,
	"versions": true, "website": true,
}

func target(r *http.Request) (bucket, key string) {
	bucket, key, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return bucket, key
}

func (s *Service) bucketLocation(w http.ResponseWriter, bucket string) error {
	if _, _, err := s.keys(bucket); err != nil {
		return err
	}
	// us-east-1 is the empty constraint.
	answer(w, http.StatusOK, struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ LocationConstraint"`
	}{})

	return nil
}
