// Package kept is what the services have in common where they hand over what they know, so that a
// later process goes on with it: as though the power had failed for a moment.
package kept

import (
	"crypto/sha256"
	"encoding/hex"
)

// Bodies are what is too large to be written again with every change, by Digest.
type Bodies map[string][]byte

// Digest names a body.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Read finds a body of an earlier process.
type Read func(digest string) ([]byte, error)
