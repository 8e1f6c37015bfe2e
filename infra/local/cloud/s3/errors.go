package s3

import (
	"encoding/xml"
	"errors"
	"net/http"

	"lockstep/infra/local/cloud/wire"
)

func refuse(status int, code, message string) error {
	return &wire.Error{Status: status, Code: code, Message: message}
}

func noSuchBucket(name string) error {
	return refuse(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist: "+name)
}

func noSuchKey(key string) error {
	return refuse(http.StatusNotFound, "NoSuchKey", "The specified key does not exist: "+key)
}

func preconditionFailed(condition string) error {
	return refuse(http.StatusPreconditionFailed, "PreconditionFailed",
		"At least one of the pre-conditions you specified did not hold: "+condition)
}

func notImplemented(what string) error {
	return refuse(http.StatusNotImplemented, "NotImplemented",
		"This stand-in for S3 does not implement "+what)
}

// fail answers as S3 does: an XML document, or nothing but the status to a HEAD.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	refusal := refusalOf(err)
	if r.Method == http.MethodHead {
		w.WriteHeader(refusal.Status)
		return
	}

	answer(w, refusal.Status, struct {
		XMLName  xml.Name `xml:"Error"`
		Code     string
		Message  string
		Resource string
	}{Code: refusal.Code, Message: refusal.Message, Resource: r.URL.Path})
}

func refusalOf(err error) *wire.Error {
	refusal := &wire.Error{Status: http.StatusInternalServerError, Code: "InternalError",
		Message: err.Error()}
	errors.As(err, &refusal)

	return refusal
}

func answer(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(xml.Header))
	_ = xml.NewEncoder(w).Encode(document)
}
