package s3

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// upload is a multipart upload under way: the aws CLI sends everything above 8 MB so.
type upload struct {
	bucket, key string
	object      Object
	parts       map[int]part
}

type part struct {
	body []byte
	sum  [md5.Size]byte
}

func (p part) etag() string { return `"` + hex.EncodeToString(p.sum[:]) + `"` }

const minPart = 5 << 20

func (s *Service) createUpload(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	if _, _, err := s.keys(bucket); err != nil {
		return err
	}

	object, err := described(r.Header, key)
	if err != nil {
		return err
	}

	s.mu.Lock()
	s.serial++
	id := fmt.Sprintf("upload-%016X", s.serial)
	s.uploads[id] = &upload{bucket, key, object, map[int]part{}}
	s.mu.Unlock()
	answer(w, http.StatusOK, struct {
		XMLName  xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ InitiateMultipartUploadResult"`
		Bucket   string
		Key      string
		UploadId string
	}{Bucket: bucket, Key: key, UploadId: id})

	return nil
}

// upload finds the upload that a request names; s.mu is held.
func (s *Service) upload(r *http.Request, bucket, key string) (id string, u *upload, err error) {
	id = r.URL.Query().Get("uploadId")

	u = s.uploads[id]
	if u == nil || u.bucket != bucket || u.key != key {
		return id, nil, refuse(http.StatusNotFound, "NoSuchUpload",
			"The specified upload does not exist: "+id)
	}

	return id, u, nil
}

func (s *Service) uploadPart(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	number, err := strconv.Atoi(r.URL.Query().Get("partNumber"))
	if err != nil || number < 1 || number > 10000 {
		return refuse(http.StatusBadRequest, "InvalidArgument",
			"Part number must be an integer between 1 and 10000, inclusive")
	}

	body, err := payload(r)
	if err != nil {
		return err
	}

	p := part{body, md5.Sum(body)}

	s.mu.Lock()
	defer s.mu.Unlock()

	_, u, err := s.upload(r, bucket, key)
	if err != nil {
		return err
	}

	u.parts[number] = p
	w.Header().Set("ETag", p.etag())

	return nil
}

func (s *Service) completeUpload(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	when, err := conditionsOf(r)
	if err != nil {
		return err
	}

	body, err := payload(r)
	if err != nil {
		return err
	}

	var request struct {
		Parts []namedPart `xml:"Part"`
	}
	if err := xml.Unmarshal(body, &request); err != nil || len(request.Parts) == 0 {
		return refuse(http.StatusBadRequest, "MalformedXML",
			"The XML you provided must name at least one part")
	}

	s.mu.Lock()

	id, u, err := s.upload(r, bucket, key)
	if err != nil {
		s.mu.Unlock()
		return err
	}

	object, err := u.assemble(request.Parts)
	s.mu.Unlock()

	if err != nil {
		return err
	}

	object, err = s.put(bucket, key, object, when, "CompleteMultipartUpload")
	if err != nil {
		return err
	}

	s.mu.Lock()
	delete(s.uploads, id)
	s.mu.Unlock()
	answer(w, http.StatusOK, struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUploadResult"`
		Bucket  string
		Key     string
		ETag    string
	}{Bucket: bucket, Key: key, ETag: object.ETag})

	return nil
}

type namedPart struct {
	PartNumber int
	ETag       string
}

func (u *upload) assemble(parts []namedPart) (Object, error) {
	object, sums, last := u.object, md5.New(), 0
	for i, named := range parts {
		p, ok := u.parts[named.PartNumber]
		switch {
		case !ok || strings.Trim(named.ETag, `"`) != strings.Trim(p.etag(), `"`):
			return Object{}, refuse(http.StatusBadRequest, "InvalidPart",
				fmt.Sprintf("Part %d could not be found, or its ETag is another", named.PartNumber))
		case named.PartNumber <= last:
			return Object{}, refuse(http.StatusBadRequest, "InvalidPartOrder",
				"The list of parts was not in ascending order")
		case i < len(parts)-1 && len(p.body) < minPart:
			return Object{}, refuse(http.StatusBadRequest, "EntityTooSmall",
				"Your proposed upload is smaller than the minimum allowed size")
		}

		object.Body = append(object.Body, p.body...)
		sums.Write(p.sum[:])

		last = named.PartNumber
	}

	object.ETag = fmt.Sprintf(`"%x-%d"`, sums.Sum(nil), len(parts))

	return object, nil
}

func (s *Service) abortUpload(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()

	id, _, err := s.upload(r, bucket, key)
	if err != nil {
		return err
	}

	delete(s.uploads, id)
	w.WriteHeader(http.StatusNoContent)

	return nil
}
