package mail

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strings"
)

// MessageID is the Message-ID, with its angle brackets, of the copy of an
// issue for a subscriber. The same input gives the same id, so that a relay
// or reader can tell a second copy; without the key nobody can tell from an
// id who got the copy.
func MessageID(key []byte, issue, subscriber int64, domain string) string {
	var in [16]byte
	binary.BigEndian.PutUint64(in[:8], uint64(issue))
	binary.BigEndian.PutUint64(in[8:], uint64(subscriber))
	mac := hmac.New(sha256.New, key)
	mac.Write(in[:])
	id := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil))
	return "<" + strings.ToLower(id) + "@" + domain + ">"
}
