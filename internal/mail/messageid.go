package mail

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
)

// lowerBase32 is the alphabet of RFC 4648, section 6, in lower case.
var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// MessageID is the Message-ID, with its angle brackets, of the copy of an
// issue for a subscriber. The same input gives the same id, so that a relay
// or reader can tell a second copy; without the key nobody can tell from an
// id who got the copy.
func MessageID(key []byte, issue, subscriber int64, domain string) string {
	in := make([]byte, 0, 16)
	in = binary.BigEndian.AppendUint64(in, uint64(issue))
	in = binary.BigEndian.AppendUint64(in, uint64(subscriber))
	mac := hmac.New(sha256.New, key)
	mac.Write(in)
	var sum [sha256.Size]byte
	id := make([]byte, 0, 64+len(domain))
	id = lowerBase32.AppendEncode(append(id, '<'), mac.Sum(sum[:0]))
	id = append(append(id, '@'), domain...)
	return string(append(id, '>'))
}
