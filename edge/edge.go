// Package edge holds the router that decides, for every request in the world, which environment answers.
// It is written in the dialect that CloudFront Functions run; Go embeds the file so that what is
// deployed, what runs on one machine and what is tested are the same bytes.
package edge

import _ "embed"

// Router is the CloudFront Function (cloudfront-js-2.0) for both viewer-request and viewer-response.
//
//go:embed router.js
var Router string
