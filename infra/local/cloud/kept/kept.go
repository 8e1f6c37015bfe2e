// Package kept holds what the services share to save their state, so that a later process can
// continue as after a power failure.
package kept

import (
	"crypto/sha256"
	"encoding/hex"
)

// Bodies are the contents that are too large to be saved with every change, by their Digest.
type Bodies map[string][]byte

// Digest is the name of a body: its SHA-256 in hex.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Read returns a body that an earlier process saved.
type Read func(digest string) ([]byte, error)
