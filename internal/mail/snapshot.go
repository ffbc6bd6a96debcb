package mail

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// snapshotVersion is the first byte of a snapshot. A change of the format or
// of the meaning of a slot needs a new one. Version 2 added slots and the
// greeting, version 3 the slot for the token; without them a snapshot is one of
// an earlier version, which older programs read.
const snapshotVersion = 3

// version is the first that knows all of t.
func (t *Template) version() byte {
	newest := slotTo
	for _, c := range t.cuts {
		newest = max(newest, c.slot)
	}
	switch {
	case newest >= slotToken:
		return snapshotVersion
	case newest >= slotTextJoined || t.greeting != (Greeting{}):
		return 2
	}
	return 1
}

// errSnapshot says that the bytes are no snapshot of a template.
var errSnapshot = errors.New("read the mail's snapshot: it is damaged")

// MarshalBinary returns the snapshot of t: the version, then the fields, each
// with its length in front. It never fails.
func (t *Template) MarshalBinary() ([]byte, error) {
	b := []byte{t.version(), 0}
	if t.oneClick {
		b[1] = 1
	}
	if b[0] > 1 {
		b = appendBytes(b, t.greeting.Before)
		b = appendBytes(b, t.greeting.After)
		b = appendBytes(b, t.greeting.Nameless)
	}
	b = appendBytes(b, t.subject)
	b = appendBytes(b, t.mailto)
	b = appendBytes(b, t.literals)
	b = binary.AppendUvarint(b, uint64(len(t.cuts)))
	from := 0
	for _, c := range t.cuts {
		b = binary.AppendUvarint(b, uint64(c.at-from))
		b = append(b, byte(c.slot))
		from = c.at
	}
	return b, nil
}

// UnmarshalBinary reads a snapshot. It leaves t as it was when there is an
// error, and keeps nothing of b.
func (t *Template) UnmarshalBinary(b []byte) error {
	if len(b) < 2 {
		return errSnapshot
	}
	if b[0] == 0 || b[0] > snapshotVersion {
		return fmt.Errorf("read the mail's snapshot: version %d is not known to this program", b[0])
	}
	r := snapshot{b: b[2:]}
	n := Template{oneClick: b[1] == 1}
	if b[0] > 1 {
		n.greeting = Greeting{Before: string(r.bytes()), After: string(r.bytes()), Nameless: string(r.bytes())}
	}
	n.subject, n.mailto, n.literals = string(r.bytes()), string(r.bytes()), slices.Clone(r.bytes())
	n.cuts = r.cuts(len(n.literals))
	if b[1] > 1 || r.bad || len(r.b) > 0 {
		return errSnapshot
	}
	n.stuff()
	*t = n
	return nil
}

func appendBytes[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// snapshot reads what is left of one. Once bad it returns zeros.
type snapshot struct {
	b   []byte
	bad bool
}

// uvarint reads a number that must not pass limit.
func (r *snapshot) uvarint(limit int) int {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > uint64(limit) {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

func (r *snapshot) bytes() []byte {
	n := r.uvarint(len(r.b))
	if n > len(r.b) {
		r.bad, n = true, 0
	}
	s := r.b[:n]
	r.b = r.b[n:]
	return s
}

// cuts reads the cuts of literals of the given size. Each takes two bytes or
// more, which bounds what a false count can claim.
func (r *snapshot) cuts(size int) []cut {
	count := r.uvarint(len(r.b) / 2)
	cuts := make([]cut, 0, count)
	at := 0
	for range count {
		at += r.uvarint(size - at)
		if len(r.b) == 0 || r.b[0] >= byte(slotCount) {
			r.bad = true
			return nil
		}
		cuts = append(cuts, cut{at: at, slot: slot(r.b[0])})
		r.b = r.b[1:]
	}
	return cuts
}
