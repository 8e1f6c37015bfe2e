package s3

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"hash/crc32"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const (
	maxKey      = 1024
	maxMetadata = 2048
	timeFormat  = "2006-01-02T15:04:05.000Z"
)

func (s *Service) getObject(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	object, err := s.current(w, r, bucket, key)
	if err != nil {
		return err
	}

	if match := r.Header.Get("If-Match"); match != "" {
		if err := (conditions{ifMatch: match}).check(key, object, true); err != nil {
			return err
		}
	}

	h := w.Header()

	for name, value := range map[string]string{
		"Content-Type": object.ContentType, "Cache-Control": object.CacheControl,
		"Content-Encoding": object.ContentEncoding,
	} {
		if value != "" {
			h.Set(name, value)
		}
	}

	for name, value := range object.Metadata {
		// in lower case on the wire, which the aws CLI shows as it comes
		h["x-amz-meta-"+name] = []string{value}
	}

	h.Set("ETag", object.ETag)

	if r.Header.Get("Range") == "" {
		h.Set("Content-Length", strconv.Itoa(len(object.Body)))

		if r.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" {
			sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(object.Body))
			h.Set("X-Amz-Checksum-Crc32", base64.StdEncoding.EncodeToString(sum))
			h.Set("X-Amz-Checksum-Type", "FULL_OBJECT")
		}
	}

	http.ServeContent(w, r, "", object.LastModified, bytes.NewReader(object.Body))

	return nil
}

// current is the object that a GET asks for: the current version, or the one that it names.
func (s *Service) current(
	w http.ResponseWriter, r *http.Request, bucket, key string,
) (Object, error) {
	if id := r.URL.Query().Get("versionId"); id != "" {
		return s.getVersion(w, bucket, key, id)
	}

	object, err := s.get(bucket, key)
	if err != nil && refusalOf(err).Code == "NoSuchKey" && s.marked(bucket, key) {
		w.Header().Set("x-amz-delete-marker", "true")
	}

	return object, err
}

func (s *Service) putObject(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	when, err := conditionsOf(r)
	if err != nil {
		return err
	}

	object, err := described(r.Header, key)
	if err != nil {
		return err
	}

	if object.Body, err = payload(r); err != nil {
		return err
	}

	object, err = s.put(bucket, key, object, when, "PutObject")
	if err != nil {
		return err
	}

	w.Header().Set("ETag", object.ETag)

	return nil
}

// described is the object that a write's headers describe, without its body.
func described(h http.Header, key string) (Object, error) {
	if len(key) > maxKey {
		return Object{}, refuse(http.StatusBadRequest, "KeyTooLongError", "Your key is too long")
	}

	object := Object{
		ContentType:     h.Get("Content-Type"),
		CacheControl:    h.Get("Cache-Control"),
		ContentEncoding: contentEncoding(h),
		Metadata:        map[string]string{},
	}
	size := 0

	for name, values := range h {
		name, ok := strings.CutPrefix(strings.ToLower(name), "x-amz-meta-")
		if !ok {
			continue
		}

		object.Metadata[name] = strings.Join(values, ",")
		size += len(name) + len(object.Metadata[name])
	}

	if size > maxMetadata {
		return Object{}, refuse(http.StatusBadRequest, "MetadataTooLarge",
			"Your metadata headers exceed the maximum allowed metadata size of 2048 bytes")
	}

	return object, nil
}

func (s *Service) copyObject(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	when, err := conditionsOf(r)
	if err != nil {
		return err
	}

	source, err := url.PathUnescape(r.Header.Get("X-Amz-Copy-Source"))
	if err != nil {
		return refuse(http.StatusBadRequest, "InvalidArgument", "x-amz-copy-source is not URL-encoded: "+
			err.Error())
	}

	fromBucket, fromKey, _ := strings.Cut(strings.TrimPrefix(source, "/"), "/")

	from, err := s.get(fromBucket, fromKey)
	if err != nil {
		return err
	}

	if err := (conditions{ifMatch: r.Header.Get("X-Amz-Copy-Source-If-Match")}).check(fromKey, from,
		true); err != nil {
		return err
	}

	object := from
	object.ETag = "" // that of a multipart upload is not the copy's
	object.Metadata = maps.Clone(from.Metadata)

	switch r.Header.Get("X-Amz-Metadata-Directive") {
	case "", "COPY":
		if fromBucket == bucket && fromKey == key {
			return refuse(http.StatusBadRequest, "InvalidRequest",
				"This copy request is illegal because it is trying to copy "+
					"an object to itself without changing the object's metadata")
		}
	case "REPLACE":
		if object, err = described(r.Header, key); err != nil {
			return err
		}

		object.Body = from.Body
	default:
		return refuse(http.StatusBadRequest, "InvalidArgument", "Unknown metadata directive")
	}

	object, err = s.put(bucket, key, object, when, "CopyObject")
	if err != nil {
		return err
	}

	answer(w, http.StatusOK, struct {
		XMLName      xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CopyObjectResult"`
		ETag         string
		LastModified string
	}{ETag: object.ETag, LastModified: object.LastModified.Format(timeFormat)})

	return nil
}

func (s *Service) deleteObject(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	id := r.URL.Query().Get("versionId")

	marked, err := s.delete(bucket, key, id, conditions{ifMatch: r.Header.Get("If-Match")})
	if err != nil {
		return err
	}

	if marked {
		w.Header().Set("x-amz-delete-marker", "true")
	}

	w.WriteHeader(http.StatusNoContent)

	return nil
}

func (s *Service) deleteObjects(w http.ResponseWriter, r *http.Request, bucket string) error {
	body, err := payload(r)
	if err != nil {
		return err
	}

	var request struct {
		Quiet   bool
		Objects []struct{ Key, ETag string } `xml:"Object"`
	}
	if err := xml.Unmarshal(body, &request); err != nil || len(request.Objects) == 0 ||
		len(request.Objects) > 1000 {
		return refuse(http.StatusBadRequest, "MalformedXML",
			"The XML you provided must name 1 to 1000 objects")
	}

	type deleted struct{ Key string }

	type failed struct{ Key, Code, Message string }

	result := struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ DeleteResult"`
		Deleted []deleted
		Error   []failed
	}{}

	for _, o := range request.Objects {
		switch _, err := s.delete(bucket, o.Key, "", conditions{ifMatch: o.ETag}); {
		case err == nil && !request.Quiet:
			result.Deleted = append(result.Deleted, deleted{o.Key})
		case err != nil:
			refusal := refusalOf(err)
			if refusal.Code == "NoSuchBucket" {
				return err
			}

			result.Error = append(result.Error, failed{o.Key, refusal.Code, refusal.Message})
		}
	}

	answer(w, http.StatusOK, result)

	return nil
}
