package newsletter

import (
	"fmt"
	"time"
)

// MarkPath is where the mark of a publication stands below its site (RFC 8615).
const MarkPath = ".well-known/threadmill.json"

// Mark is what a site tells of the database that wrote it, so that another
// database of the same publication, restored or forgotten, finds out that it is
// behind before it mails anybody. The zero Mark is that of a site that tells
// nothing.
type Mark struct {
	// Publication is the id of the publication, Instance that of the database
	// which wrote the site: it is a new one after each restore and take-over.
	Publication string `json:"publication"`
	Instance    string `json:"instance"`
	// Issue is the last one, 0 before the first.
	Issue       int64     `json:"issue"`
	PublishedAt time.Time `json:"published_at,omitzero"`
}

// AheadError says that a site knows more than the database.
type AheadError struct {
	Where string // the address or the folder of the site
	Site  Mark
	Own   Mark
}

// Error tells what the site knows, and what to do.
func (e *AheadError) Error() string {
	return fmt.Sprintf("%s was written by another database: %s. So nothing is published, or it could go out twice. %s",
		e.Where, e.what(), e.mend())
}

func (e *AheadError) what() string {
	switch {
	case e.Later():
		return fmt.Sprintf("it shows issue %d, and this one knows %d", e.Site.Issue, e.Own.Issue)
	case e.Site.Publication != e.Own.Publication:
		return "it belongs to a publication with another id"
	case e.Site.Instance != e.Own.Instance:
		return "an older or newer server of this publication"
	}
	return fmt.Sprintf("issue %d there is not the one that went out from here", e.Site.Issue)
}

func (e *AheadError) mend() string {
	if e.Later() {
		return "Stop the other server; `threadmill recover --from " + e.Where + "` marks as sent what the site shows, then `threadmill resume` goes on here"
	}
	return "If this server is the one that goes on, stop the other one and run `threadmill resume --take-over`; else stop this one"
}

// Later tells whether the site shows issues that the database does not know.
func (e *AheadError) Later() bool { return e.Site.Issue > e.Own.Issue }

// Against compares the mark of a site with that of the database. It is an
// *AheadError when another database wrote it, or this one in a later state, and
// that mark is not the one that somebody accepted.
func (m Mark) Against(own, accepted Mark, where string) error {
	if m.Publication == "" {
		return nil
	}
	ahead := &AheadError{Where: where, Site: m, Own: own}
	switch {
	case m.writtenBy(accepted) && m.Issue <= accepted.Issue:
		return nil
	case !m.writtenBy(own), m.Issue > own.Issue:
		return ahead
	case m.Issue == own.Issue && !m.PublishedAt.Equal(own.PublishedAt):
		return ahead
	}
	return nil
}

func (m Mark) writtenBy(other Mark) bool {
	return m.Publication == other.Publication && m.Instance == other.Instance
}
