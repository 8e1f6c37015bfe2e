package s3

import (
	"cmp"
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

func (s *Service) listBuckets(w http.ResponseWriter) error {
	type entry struct{ Name, CreationDate string }

	result := struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListAllMyBucketsResult"`
		Buckets []entry  `xml:"Buckets>Bucket"`
	}{}

	s.mu.RLock()

	for name, b := range s.buckets {
		result.Buckets = append(result.Buckets, entry{name, b.Created.UTC().Format(timeFormat)})
	}

	s.mu.RUnlock()
	slices.SortFunc(result.Buckets, func(a, b entry) int { return cmp.Compare(a.Name, b.Name) })
	answer(w, http.StatusOK, result)

	return nil
}

type content struct {
	Key          string
	LastModified string
	ETag         string
	Size         int
	StorageClass string
}

type commonPrefix struct{ Prefix string }

type listing struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name                  string
	Prefix                string
	Delimiter             string `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	StartAfter            string `xml:",omitempty"`
	ContinuationToken     string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	MaxKeys               int
	KeyCount              int
	IsTruncated           bool
	Contents              []content
	CommonPrefixes        []commonPrefix
}

func (s *Service) listObjects(w http.ResponseWriter, r *http.Request, bucket string) error {
	keys, objects, err := s.keys(bucket)
	if err != nil {
		return err
	}

	q := r.URL.Query()

	page := listing{
		Name: bucket, Prefix: q.Get("prefix"), Delimiter: q.Get("delimiter"),
		EncodingType: q.Get("encoding-type"),
		StartAfter:   q.Get("start-after"), ContinuationToken: q.Get("continuation-token"), MaxKeys: 1000,
	}
	if value := q.Get("max-keys"); value != "" {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return refuse(http.StatusBadRequest, "InvalidArgument", "max-keys is no count: "+value)
		}

		page.MaxKeys = min(n, 1000)
	}
	// The token is the last key or common prefix that the page before told.
	after := page.StartAfter
	if page.ContinuationToken != "" {
		token, err := base64.URLEncoding.DecodeString(page.ContinuationToken)
		if err != nil {
			return refuse(http.StatusBadRequest, "InvalidArgument",
				"The continuation token provided is incorrect")
		}

		after = string(token)
	}

	page.fill(keys, objects, after)

	if page.EncodingType == "url" {
		page.encode()
	}

	answer(w, http.StatusOK, page)

	return nil
}

func (p *listing) fill(keys []string, objects map[string]Object, after string) {
	last := ""

	for _, key := range keys {
		rest, ok := strings.CutPrefix(key, p.Prefix)
		if !ok || key <= after {
			continue
		}

		shared := ""
		if before, _, found := strings.Cut(rest, p.Delimiter); found && p.Delimiter != "" {
			shared = p.Prefix + before + p.Delimiter
			if shared == last || shared == after {
				continue
			}
		}

		if p.KeyCount == p.MaxKeys {
			p.IsTruncated = p.MaxKeys > 0
			if p.IsTruncated {
				p.NextContinuationToken = base64.URLEncoding.EncodeToString([]byte(last))
			}

			return
		}

		p.KeyCount++
		if shared != "" {
			p.CommonPrefixes = append(p.CommonPrefixes, commonPrefix{shared})
			last = shared

			continue
		}

		o := objects[key]
		p.Contents = append(p.Contents, content{key, o.LastModified.Format(timeFormat), o.ETag,
			len(o.Body), "STANDARD"})
		last = key
	}
}

// encode is for clients that ask for it, since XML cannot carry every character of a key.
func (p *listing) encode() {
	escape := func(s *string) { *s = strings.ReplaceAll(url.QueryEscape(*s), "%2F", "/") }
	escape(&p.Prefix)
	escape(&p.Delimiter)
	escape(&p.StartAfter)

	for i := range p.Contents {
		escape(&p.Contents[i].Key)
	}

	for i := range p.CommonPrefixes {
		escape(&p.CommonPrefixes[i].Prefix)
	}
}
