package mail

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The bounds of the last part of a Feedback-ID, in characters.
const (
	minSenderID = 5
	maxSenderID = 15
)

// FeedbackID is the header's value for an issue: issue, kind, language and
// sender, by which Gmail's Postmaster Tools tell complaints apart. The sender,
// which that asks for, is made of the publication's host.
func FeedbackID(issue int64, language, host string) string {
	return fmt.Sprintf("%d:newsletter:%s:%s", issue, keep(strings.ToLower(language), inToken), senderID(host))
}

// senderID is host in 5 to 15 letters and digits, the same every time. What is
// cut off is told apart by a hash.
func senderID(host string) string {
	host = strings.ToLower(strings.TrimPrefix(strings.ToLower(host), "www."))
	id := keep(host, func(b byte) bool { return 'a' <= b && b <= 'z' || '0' <= b && b <= '9' })
	if minSenderID <= len(id) && len(id) <= maxSenderID {
		return id
	}
	sum := sha256.Sum256([]byte(host))
	const hashed = 6
	return id[:min(len(id), maxSenderID-hashed)] + lowerBase32.EncodeToString(sum[:])[:hashed]
}

// feedbackID has three parts that say what the mail is and one that says who
// sends it.
var feedbackID = regexp.MustCompile(`^(?:[!-9;-~]{0,100}:){3}[A-Za-z0-9._-]{` + strconv.Itoa(minSenderID) + `,` + strconv.Itoa(maxSenderID) + `}$`)

// feedback writes Feedback-ID.
func (h *header) feedback(id string) error {
	if id == "" {
		return nil
	}
	if !feedbackID.MatchString(id) {
		return fmt.Errorf("header Feedback-ID: %q is not of the form a:b:c:sender, with a sender of %d to %d letters and digits", id, minSenderID, maxSenderID)
	}
	h.begin("Feedback-ID")
	h.word(id)
	h.end()
	return nil
}

// names tells whether fields has one of this name.
func names(fields map[string]string, name string) bool {
	return slices.ContainsFunc(slices.Collect(maps.Keys(fields)), func(n string) bool { return strings.EqualFold(n, name) })
}
