package audience

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"threadmill/internal/newsletter"
)

// The columns of our own export; those of the list stand first.
var ownColumns = [...]string{
	"email", "name", "status", "tags", "created_at",
	"status_reason", "status_at", "frequency", "wants", "paused_until", "bounces", "suppression",
	"import_file", "import_at", "consent", "history",
}

// timeText is empty for no time.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// ownRow is a record in the order of ownColumns. created_at is empty for a
// mailbox that is only suppressed.
func ownRow(rec *newsletter.SubscriberRecord) ([]string, error) {
	var history string
	if len(rec.Events) > 0 {
		text, err := json.Marshal(documentEvents(rec.Events))
		if err != nil {
			return nil, fmt.Errorf("write the history of %s: %w", rec.Email, err)
		}
		history = string(text)
	}
	var origin newsletter.Import
	if rec.Import != nil {
		origin = *rec.Import
	}
	return []string{
		guard(rec.Email), guard(rec.Name), string(rec.Status), guard(strings.Join(rec.Tags, ",")), timeText(rec.CreatedAt),
		guard(rec.Reason), timeText(rec.Since), string(rec.Frequency), guard(strings.Join(rec.Wants, ",")), timeText(rec.PausedUntil),
		strconv.Itoa(rec.Bounces), guard(rec.Suppression),
		guard(origin.File), timeText(origin.At), guard(origin.Consent), history,
	}, nil
}

// ownObject is ownRow in JSON.
func ownObject(rec *newsletter.SubscriberRecord) any {
	type origin struct {
		File    string    `json:"file"`
		At      time.Time `json:"at"`
		Consent string    `json:"consent"`
	}
	object := struct {
		Email       string                      `json:"email"`
		Name        string                      `json:"name"`
		Status      newsletter.SubscriberStatus `json:"status"`
		Tags        []string                    `json:"tags"`
		CreatedAt   time.Time                   `json:"created_at,omitzero"`
		Reason      string                      `json:"status_reason"`
		Since       time.Time                   `json:"status_at,omitzero"`
		Frequency   newsletter.Frequency        `json:"frequency"`
		Wants       []string                    `json:"wants"`
		PausedUntil time.Time                   `json:"paused_until,omitzero"`
		Bounces     int                         `json:"bounces"`
		Suppression string                      `json:"suppression"`
		Import      *origin                     `json:"import,omitempty"`
		History     []DocumentEvent             `json:"history"`
	}{
		rec.Email, rec.Name, rec.Status, append([]string{}, rec.Tags...), rec.CreatedAt, rec.Reason, rec.Since, rec.Frequency,
		append([]string{}, rec.Wants...), rec.PausedUntil, rec.Bounces, rec.Suppression, nil, documentEvents(rec.Events),
	}
	if rec.Import != nil {
		object.Import = &origin{rec.Import.File, rec.Import.At, rec.Import.Consent}
	}
	return object
}

// rest reads the columns that only our own export has.
func (l layout) rest(cells []string, rec *newsletter.SubscriberRecord) (why string) {
	rec.Reason = l.cell(cells, fieldReason)
	rec.Since = anyTime(l.cell(cells, fieldSince))
	rec.Wants = cleanTags([]string{l.cell(cells, fieldWants)})
	rec.PausedUntil = anyTime(l.cell(cells, fieldPaused))
	rec.Suppression = l.cell(cells, fieldSuppression)
	switch f := newsletter.Frequency(l.cell(cells, fieldFrequency)); f {
	case "", newsletter.FrequencyEach, newsletter.FrequencyMonthly:
		rec.Frequency = f
	default:
		return fmt.Sprintf("has an unknown frequency %q; known are each, monthly", clip(string(f), 40))
	}
	if n := l.cell(cells, fieldBounces); n != "" {
		var err error
		if rec.Bounces, err = strconv.Atoi(n); err != nil || rec.Bounces < 0 {
			return fmt.Sprintf("has %q for its bounces", clip(n, 40))
		}
	}
	if at := anyTime(l.cell(cells, fieldImportAt)); !at.IsZero() {
		rec.Import = &newsletter.Import{At: at, File: l.cell(cells, fieldImportFile), Consent: l.cell(cells, fieldConsent)}
	}
	rec.Bare = rec.Status == newsletter.SubscriberSuppressed && l.cell(cells, fieldCreated) == ""
	return l.history(cells, rec)
}

// history is never touched by guard: it is JSON.
func (l layout) history(cells []string, rec *newsletter.SubscriberRecord) (why string) {
	text := l.cell(cells, fieldHistory)
	if text == "" {
		return ""
	}
	var steps []DocumentEvent
	if err := json.Unmarshal([]byte(text), &steps); err != nil {
		return "has a history that is not as it was exported"
	}
	for _, s := range steps {
		rec.Events = append(rec.Events, newsletter.SubscriberEvent{At: s.At, Kind: s.Kind, Issue: s.Issue, Form: s.Form, Network: s.Network, Text: s.Text})
	}
	return ""
}

// anyTime reads a time of our own export, of whatever age.
func anyTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Millisecond)
}
