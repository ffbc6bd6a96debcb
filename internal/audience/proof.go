package audience

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/bits"
	"time"
)

// ErrAgain says that a form is to be sent once more, with a stamp of its own.
var ErrAgain = errors.New("the form was too quick, too old or without its proof")

// The age of a form when it is sent. Nobody reads and writes in less than
// minAge; who cannot compute waits for slowAge.
const (
	minAge  = 2 * time.Second
	slowAge = 15 * time.Second
	maxAge  = 24 * time.Hour
	// slowPart is the part of an hour's sign-ups that may wait in the place of a
	// proof: machines can wait, too.
	slowPart = 10
	maxProof = 40 // bytes
)

// Stamp is a signed moment for a form: an empty address for one that is not
// filled in yet. A stamp for an address is good for no other, so that a proof
// found once lets nobody write to many.
func (s *SignUps) Stamp(address string) string {
	var who int64
	if address != "" {
		if addr, err := ParseAddress(address); err == nil {
			who = stampFor(addr)
		}
	}
	return s.o.Tokens.SignFor(PurposeForm, who, now().UnixMilli())
}

// Proof is how many bits of a proof of work a form needs.
func (s *SignUps) Proof() int { return s.o.Proof }

// stampFor stands for an address in a stamp; it is never 0.
func stampFor(addr Address) int64 {
	sum := sha256.Sum256([]byte(addr.Key))
	return int64(binary.BigEndian.Uint64(sum[:8]) | 1) //nolint:gosec // any number will do
}

// checkStamp tells whether a form comes from a machine, as far as its stamp
// says. A form of another site has none, and needs none but for a proof.
func (s *SignUps) checkStamp(addr Address, r Request, now time.Time) error {
	if r.Stamp == "" && s.o.Proof == 0 {
		return nil
	}
	who, at, err := s.o.Tokens.VerifyFor(PurposeForm, r.Stamp)
	age := now.Sub(time.UnixMilli(at))
	switch {
	case err != nil, age > maxAge, who != 0 && who != stampFor(addr):
		return ErrAgain
	case s.o.Proof == 0:
		if age < minAge {
			return ErrAgain
		}
		return nil
	case who == 0:
		return ErrAgain
	case proven(r.Stamp, r.Proof, s.o.Proof):
		return nil
	case age < slowAge:
		return ErrAgain
	case !s.slow.take(r.From, now):
		return ErrTooMany
	}
	return nil
}

// proven tells whether the SHA-256 of a stamp, a colon and a proof begins with so
// many zero bits.
func proven(stamp, proof string, zeros int) bool {
	if proof == "" || len(proof) > maxProof {
		return false
	}
	sum := sha256.Sum256([]byte(stamp + ":" + proof))
	return bits.LeadingZeros64(binary.BigEndian.Uint64(sum[:8])) >= zeros
}
