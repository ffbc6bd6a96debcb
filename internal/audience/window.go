package audience

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"threadmill/internal/newsletter"
)

// The bounds of what an import holds before it is written.
const (
	windowRows  = 50_000
	windowBytes = 8 << 20
)

// window holds rows of a file, packed to a fifth of what they take as records.
// One that is more than a chunk is written in the order of the keys: then a
// chunk touches few pages of the index, where one in the order of the file
// touches a page a row, and each is written with it.
type window struct {
	packed []byte
	places []int // where each row begins
}

func (w *window) full() bool { return len(w.places) >= windowRows || len(w.packed) >= windowBytes }

func (w *window) reset() { w.packed, w.places = w.packed[:0], w.places[:0] }

// key is the first text of a packed row.
func (w *window) key(place int) []byte {
	n, size := binary.Uvarint(w.packed[place:])
	return w.packed[place+size:][:n]
}

// sort puts the rows in the order of their keys; those of a mailbox stay in
// theirs.
func (w *window) sort() {
	slices.SortFunc(w.places, func(a, b int) int {
		return cmp.Or(bytes.Compare(w.key(a), w.key(b)), cmp.Compare(a, b))
	})
}

// more is what only our own export tells of a row.
type more struct {
	Reason      string                       `json:"r,omitempty"`
	Since       time.Time                    `json:"s,omitzero"`
	Frequency   newsletter.Frequency         `json:"f,omitempty"`
	Wants       []string                     `json:"w,omitempty"`
	PausedUntil time.Time                    `json:"p,omitzero"`
	Bounces     int                          `json:"b,omitempty"`
	Suppression string                       `json:"x,omitempty"`
	Events      []newsletter.SubscriberEvent `json:"e,omitempty"`
	Bare        bool                         `json:"n,omitempty"`
}

// tagMark stands between packed tags; no clean tag holds it.
const tagMark = "\x00"

// add packs a row; imp is the place of its import, which the caller keeps.
func (w *window) add(rec *newsletter.SubscriberRecord, imp int) error {
	rest := more{
		Reason: rec.Reason, Since: rec.Since, Frequency: rec.Frequency, Wants: rec.Wants, PausedUntil: rec.PausedUntil,
		Bounces: rec.Bounces, Suppression: rec.Suppression, Events: rec.Events, Bare: rec.Bare,
	}
	var extra []byte
	if !rest.none() {
		var err error
		if extra, err = json.Marshal(rest); err != nil {
			return fmt.Errorf("pack %s: %w", rec.Email, err)
		}
	}
	email := rec.Email
	if email == rec.Key { // as nearly always
		email = ""
	}
	w.places = append(w.places, len(w.packed))
	for _, text := range []string{rec.Key, email, rec.Name, string(rec.Status), strings.Join(rec.Tags, tagMark)} {
		w.packed = append(binary.AppendUvarint(w.packed, uint64(len(text))), text...)
	}
	w.packed = binary.AppendVarint(w.packed, rec.CreatedAt.UnixMilli())
	w.packed = binary.AppendVarint(w.packed, int64(imp))
	w.packed = append(binary.AppendUvarint(w.packed, uint64(len(extra))), extra...)
	return nil
}

func (m *more) none() bool {
	return m.Reason == "" && m.Since.IsZero() && m.Frequency == "" && len(m.Wants) == 0 && m.PausedUntil.IsZero() &&
		m.Bounces == 0 && m.Suppression == "" && len(m.Events) == 0 && !m.Bare
}

// row unpacks what add packed.
func (w *window) row(place int) (rec newsletter.SubscriberRecord, imp int, err error) {
	rest := w.packed[place:]
	text := func() string {
		n, size := binary.Uvarint(rest)
		s := string(rest[size:][:n])
		rest = rest[size+int(n):]
		return s
	}
	number := func() int64 {
		n, size := binary.Varint(rest)
		rest = rest[size:]
		return n
	}
	rec.Key, rec.Email, rec.Name, rec.Status = text(), text(), text(), newsletter.SubscriberStatus(text())
	if rec.Email == "" {
		rec.Email = rec.Key
	}
	if tags := text(); tags != "" {
		rec.Tags = strings.Split(tags, tagMark)
	}
	rec.CreatedAt = time.UnixMilli(number()).UTC()
	imp = int(number())
	if extra := text(); extra != "" {
		var m more
		if err := json.Unmarshal([]byte(extra), &m); err != nil {
			return rec, imp, fmt.Errorf("unpack %s: %w", rec.Email, err)
		}
		rec.Reason, rec.Since, rec.Frequency, rec.Wants, rec.PausedUntil = m.Reason, m.Since, m.Frequency, m.Wants, m.PausedUntil
		rec.Bounces, rec.Suppression, rec.Events, rec.Bare = m.Bounces, m.Suppression, m.Events, m.Bare
	}
	return rec, imp, nil
}
