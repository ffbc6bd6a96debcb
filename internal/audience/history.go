package audience

import (
	"context"
	"fmt"
	"time"

	"threadmill/internal/newsletter"
)

// Document is all that is kept of a subscriber, as JSON: what they may download,
// and what the operator is shown.
type Document struct {
	Email        string                      `json:"email"`
	Name         string                      `json:"name"`
	Status       newsletter.SubscriberStatus `json:"status"`
	StatusReason string                      `json:"status_reason"`
	StatusSince  time.Time                   `json:"status_since"`
	Tags         []string                    `json:"tags"`
	CreatedAt    time.Time                   `json:"created_at"`
	Frequency    newsletter.Frequency        `json:"frequency"`
	Wants        []string                    `json:"wants"`
	PausedUntil  *time.Time                  `json:"paused_until"`
	Bounces      int                         `json:"bounces"`
	Import       *DocumentImport             `json:"import"`
	Events       []DocumentEvent             `json:"events"`
	Issues       []DocumentIssue             `json:"issues"`
	Letters      []DocumentLetter            `json:"letters"`
	Reports      []DocumentReport            `json:"reports"`
}

// DocumentImport is the file that brought a subscriber.
type DocumentImport struct {
	File    string `json:"file"`
	Consent string `json:"consent"`
}

// DocumentEvent is a step of a subscription.
type DocumentEvent struct {
	At      time.Time                      `json:"at"`
	Kind    newsletter.SubscriberEventKind `json:"kind"`
	Issue   int64                          `json:"issue,omitempty"`
	Form    string                         `json:"form,omitempty"`
	Network string                         `json:"network,omitempty"`
	Text    string                         `json:"text,omitempty"`
}

func documentEvents(events []newsletter.SubscriberEvent) []DocumentEvent {
	list := make([]DocumentEvent, len(events))
	for i, e := range events {
		list[i] = DocumentEvent{At: e.At.UTC(), Kind: e.Kind, Issue: e.Issue, Form: e.Form, Network: e.Network, Text: e.Text}
	}
	return list
}

// DocumentIssue is what became of an issue on its way.
type DocumentIssue struct {
	Issue     int64                    `json:"issue"`
	Title     string                   `json:"title"`
	State     newsletter.DeliveryState `json:"state"`
	Attempts  int                      `json:"attempts"`
	FirstAt   *time.Time               `json:"first_at"`
	ChangedAt *time.Time               `json:"changed_at"`
	Code      int                      `json:"code,omitempty"`
	Answer    string                   `json:"answer,omitempty"`
}

// DocumentLetter is a mail that was no issue.
type DocumentLetter struct {
	Kind      newsletter.LetterKind `json:"kind"`
	To        string                `json:"to,omitempty"`
	CreatedAt time.Time             `json:"created_at"`
	SentAt    *time.Time            `json:"sent_at"`
	Answer    string                `json:"answer,omitempty"`
}

// DocumentReport is what another server told.
type DocumentReport struct {
	At     time.Time `json:"at"`
	Issue  int64     `json:"issue,omitempty"`
	Kind   string    `json:"kind"`
	Class  string    `json:"class,omitempty"`
	Source string    `json:"source"`
	Status string    `json:"status,omitempty"`
	Text   string    `json:"text,omitempty"`
}

// Download returns all that is kept of whom a token names; nil for somebody of
// whom nothing is.
func (a *Audience) Download(ctx context.Context, token string) (*Document, error) {
	sub, _, err := a.recipient(ctx, token)
	if err != nil || sub.Email == "" {
		return nil, err
	}
	return a.document(ctx, sub.ID)
}

// Show returns all that is kept of whoever has an address; ErrNotFound where
// nobody has it.
func (a *Audience) Show(ctx context.Context, address string) (*Document, error) {
	sub, err := a.find(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("show subscriber %s: %w", address, err)
	}
	return a.document(ctx, sub.ID)
}

func (a *Audience) document(ctx context.Context, id int64) (*Document, error) {
	h, err := a.store.History(ctx, id)
	if err != nil {
		return nil, err
	}
	d := &Document{
		Email: h.Email, Name: h.Preferences.Name, Status: h.Status, StatusReason: h.StatusReason, StatusSince: h.StatusAt,
		Tags: append([]string{}, h.Tags...), CreatedAt: h.CreatedAt, Frequency: h.Frequency, Wants: append([]string{}, h.Wants...),
		PausedUntil: timeOrNull(h.PausedUntil), Bounces: h.Bounces,
		Events: documentEvents(h.Events), Issues: []DocumentIssue{}, Letters: []DocumentLetter{}, Reports: []DocumentReport{},
	}
	if h.ImportFile != "" || h.Consent != "" {
		d.Import = &DocumentImport{File: h.ImportFile, Consent: h.Consent}
	}
	for _, i := range h.Deliveries {
		d.Issues = append(d.Issues, DocumentIssue{
			Issue: i.Issue, Title: i.Title, State: i.State, Attempts: i.Attempts,
			FirstAt: timeOrNull(i.FirstAt), ChangedAt: timeOrNull(i.ChangedAt), Code: i.Code, Answer: i.Answer,
		})
	}
	for _, l := range h.Letters {
		d.Letters = append(d.Letters, DocumentLetter{Kind: l.Kind, To: l.Email, CreatedAt: l.CreatedAt, SentAt: timeOrNull(l.SentAt), Answer: l.Answer})
	}
	for _, r := range h.Reports {
		d.Reports = append(d.Reports, DocumentReport(r))
	}
	return d, nil
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
