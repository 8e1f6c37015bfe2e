package s3

import (
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Versions of objects, as far as Lockstep reads them: a bucket with versioning on keeps what was
// written over or deleted, and a deleted object has a delete marker as its current version.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html

// keptVersions is how many versions of an object stay in memory. S3 keeps them as long as the
// bucket's lifecycle says.
const keptVersions = 32

// version is a version of an object, or a delete marker.
type version struct {
	ID     string
	Object Object
	Marker bool
}

// SetVersioning turns versioning on for a bucket, which must exist.
func (s *Service) SetVersioning(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if b := s.buckets[name]; b.Versions == nil {
		b.Versions = map[string][]version{}
	}
}

// Delete deletes an object, as DeleteObject does without a version.
func (s *Service) Delete(bucket, key string) error {
	_, err := s.delete(bucket, key, "", conditions{})

	return err
}

// Forget deletes an object with all its versions, which nobody can restore.
func (s *Service) Forget(bucket, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()

	delete(s.buckets[bucket].Objects, key)
	delete(s.buckets[bucket].Versions, key)
}

// remember puts a version on top of an object's others; the service must be held.
func (b *bucket) remember(key string, v version) {
	if b.Versions == nil {
		return
	}

	list := append([]version{v}, b.Versions[key]...)
	b.Versions[key] = list[:min(len(list), keptVersions)]
}

// removeVersion deletes one version for good: the one before it is current then. The service must
// be held.
func (b *bucket) removeVersion(key, id string) {
	b.Versions[key] = slices.DeleteFunc(slices.Clone(b.Versions[key]), func(v version) bool {
		return v.ID == id
	})

	list := b.Versions[key]
	if len(list) == 0 || list[0].Marker {
		delete(b.Objects, key)
	} else {
		b.Objects[key] = list[0].Object
	}

	if len(list) == 0 {
		delete(b.Versions, key)
	}
}

// marked tells whether the current version of an object is a delete marker.
func (s *Service) marked(bucket, key string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()

	b := s.buckets[bucket]
	if b == nil {
		return false
	}

	list := b.Versions[key]

	return len(list) > 0 && list[0].Marker
}

// getVersion is a version of an object. Of a delete marker S3 allows nothing but to delete it.
func (s *Service) getVersion(w http.ResponseWriter, bucket, key, id string) (Object, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()

	b := s.buckets[bucket]
	if b == nil {
		return Object{}, noSuchBucket(bucket)
	}

	i := slices.IndexFunc(b.Versions[key], func(v version) bool { return v.ID == id })
	if i < 0 {
		return Object{}, refuse(http.StatusNotFound, "NoSuchVersion",
			"The specified version does not exist.")
	}

	v := b.Versions[key][i]
	if v.Marker {
		w.Header().Set("x-amz-delete-marker", "true")

		return Object{}, refuse(http.StatusMethodNotAllowed, "MethodNotAllowed",
			"The specified method is not allowed against this resource.")
	}

	w.Header().Set("x-amz-version-id", v.ID)

	return v.Object, nil
}

// listedVersion is a Version or a DeleteMarker of a listing, by its element.
type listedVersion struct {
	XMLName      xml.Name
	Key          string
	VersionID    string `xml:"VersionId"`
	IsLatest     bool
	LastModified string
	ETag         string `xml:",omitempty"`
	Size         *int   `xml:",omitempty"`
}

type versionListing struct {
	XMLName             xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListVersionsResult"`
	Name                string
	Prefix              string
	KeyMarker           string
	VersionIDMarker     string `xml:"VersionIdMarker"`
	NextKeyMarker       string `xml:",omitempty"`
	NextVersionIDMarker string `xml:"NextVersionIdMarker,omitempty"`
	EncodingType        string `xml:",omitempty"`
	MaxKeys             int
	IsTruncated         bool
	Versions            []listedVersion
}

// listVersions lists a bucket's versions: keys in UTF-8 order, the versions of a key newest first.
func (s *Service) listVersions(w http.ResponseWriter, r *http.Request, bucket string) error {
	q := r.URL.Query()
	page := versionListing{
		Name: bucket, Prefix: q.Get("prefix"), KeyMarker: q.Get("key-marker"),
		VersionIDMarker: q.Get("version-id-marker"), EncodingType: q.Get("encoding-type"), MaxKeys: 1000,
	}

	if value := q.Get("max-keys"); value != "" {
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return refuse(http.StatusBadRequest, "InvalidArgument", "max-keys is no count: "+value)
		}

		page.MaxKeys = min(n, page.MaxKeys)
	}

	if q.Has("delimiter") {
		return notImplemented("ListObjectVersions with a delimiter")
	}

	all, err := s.versions(bucket, page.Prefix)
	if err != nil {
		return err
	}

	page.fill(all)
	answer(w, http.StatusOK, page)

	return nil
}

func (s *Service) versions(bucket, prefix string) ([]listedVersion, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()

	b := s.buckets[bucket]
	if b == nil {
		return nil, noSuchBucket(bucket)
	}

	var list []listedVersion

	for _, key := range slices.Sorted(maps.Keys(b.Versions)) {
		if !strings.HasPrefix(key, prefix) {
			continue
		}

		for i, v := range b.Versions[key] {
			listed := listedVersion{
				XMLName: xml.Name{Local: "Version"}, Key: key, VersionID: v.ID, IsLatest: i == 0,
				LastModified: v.Object.LastModified.Format(timeFormat), ETag: v.Object.ETag,
			}
			if size := len(v.Object.Body); v.Marker {
				listed.XMLName.Local = "DeleteMarker"
			} else {
				listed.Size = &size
			}

			list = append(list, listed)
		}
	}

	return list, nil
}

// fill takes what comes after the markers, up to a page.
func (p *versionListing) fill(all []listedVersion) {
	after := 0

	for i, v := range all {
		if v.Key < p.KeyMarker ||
			v.Key == p.KeyMarker && (p.VersionIDMarker == "" || !passed(all, i, p)) {
			after = i + 1
		}
	}

	rest := all[min(after, len(all)):]
	if p.IsTruncated = len(rest) > p.MaxKeys; p.IsTruncated {
		rest = rest[:p.MaxKeys]
		last := rest[len(rest)-1]
		p.NextKeyMarker, p.NextVersionIDMarker = last.Key, last.VersionID
	}

	p.Versions = rest

	if p.EncodingType == "url" {
		for i := range p.Versions {
			key := url.QueryEscape(p.Versions[i].Key)
			p.Versions[i].Key = strings.ReplaceAll(key, "%2F", "/")
		}
	}
}

// passed tells whether a version of the marker's key comes after the marker's version.
func passed(all []listedVersion, i int, p *versionListing) bool {
	for j := range i {
		if all[j].Key == p.KeyMarker && all[j].VersionID == p.VersionIDMarker {
			return true
		}
	}

	return false
}

func versionID(serial uint64) string { return fmt.Sprintf("v%016X", serial) }
