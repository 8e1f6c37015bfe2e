// Package site writes the site buckets, one per environment. It stamps each object with the
// environment and the release, so that a response says where it came from.
package site

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"lockstep/functions/internal/aws/awserr"
	"lockstep/functions/internal/release"
	"lockstep/statemachine"
)

type api interface {
	HeadObject(context.Context, *s3.HeadObjectInput, ...func(*s3.Options)) (*s3.HeadObjectOutput,
		error)
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	DeleteObject(context.Context, *s3.DeleteObjectInput, ...func(*s3.Options)) (*s3.DeleteObjectOutput,
		error)
	ListObjectsV2(context.Context, *s3.ListObjectsV2Input,
		...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
}

// Sites are the two site buckets.
type Sites struct {
	client  api
	buckets map[statemachine.Environment]string
}

// New opens the site buckets.
func New(client *s3.Client, buckets map[statemachine.Environment]string) *Sites {
	return &Sites{client, buckets}
}

// Put writes a page. A repeated call changes nothing.
func (s *Sites) Put(ctx context.Context, env statemachine.Environment, page release.Page) error {
	bucket, err := s.bucket(env)
	if err != nil {
		return err
	}

	_, err = s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: bucket, Key: &page.Path, Body: bytes.NewReader(page.Body),
		ContentType: optional(page.ContentType), CacheControl: optional(page.CacheControl),
		Metadata: map[string]string{
			statemachine.MetadataEnvironment: string(env),
			statemachine.MetadataRelease:     page.Release,
		},
	})

	return awserr.Wrap(err, "write s3://%s/%s", *bucket, page.Path)
}

// Stamp is the release that a file is stamped with; found is false if the file is missing.
func (s *Sites) Stamp(ctx context.Context, env statemachine.Environment,
	path string) (release string, found bool, err error) {
	bucket, err := s.bucket(env)
	if err != nil {
		return "", false, err
	}

	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: &path})
	if awserr.Is(err, "NotFound", "NoSuchKey") {
		return "", false, nil
	}

	if err != nil {
		return "", false, awserr.Wrap(err, "read the stamps of s3://%s/%s", *bucket, path)
	}

	return out.Metadata[statemachine.MetadataRelease], true, nil
}

// Same tells whether the site has exactly this page, with its stamps. It compares MD5 digests: Put
// writes each object in one part, and the ETag of such an object is its MD5.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
func (s *Sites) Same(ctx context.Context, env statemachine.Environment, page release.Page) (bool,
	error) {
	bucket, err := s.bucket(env)
	if err != nil {
		return false, err
	}

	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: &page.Path})
	if awserr.Is(err, "NotFound", "NoSuchKey") {
		return false, nil
	}

	if err != nil {
		return false, awserr.Wrap(err, "read the stamps of s3://%s/%s", *bucket, page.Path)
	}

	sum := md5.Sum(page.Body)

	return strings.Trim(aws.ToString(out.ETag), `"`) == hex.EncodeToString(sum[:]) &&
		out.Metadata[statemachine.MetadataEnvironment] == string(env) &&
		out.Metadata[statemachine.MetadataRelease] == page.Release, nil
}

// Delete deletes an object. A missing object is no error.
func (s *Sites) Delete(ctx context.Context, env statemachine.Environment, path string) error {
	bucket, err := s.bucket(env)
	if err != nil {
		return err
	}

	_, err = s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: &path})

	return awserr.Wrap(err, "delete s3://%s/%s", *bucket, path)
}

// List returns the paths of all objects of the site, sorted.
func (s *Sites) List(ctx context.Context, env statemachine.Environment) ([]string, error) {
	bucket, err := s.bucket(env)
	if err != nil {
		return nil, err
	}

	var paths []string

	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awserr.Wrap(err, "list s3://%s", *bucket)
		}

		for _, object := range page.Contents {
			paths = append(paths, aws.ToString(object.Key))
		}
	}

	return paths, nil
}

func (s *Sites) bucket(env statemachine.Environment) (*string, error) {
	if name := s.buckets[env]; name != "" {
		return &name, nil
	}

	return nil, fmt.Errorf("%s: siteBuckets.%s: found no bucket, expected the one of environment %q",
		statemachine.SettingsKey, env, env)
}

func optional(s string) *string {
	if s == "" {
		return nil
	}

	return &s
}
