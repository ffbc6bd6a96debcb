package webhook

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

// postmark reads what Postmark sends, which signs nothing: the address holds a
// password, or a field of the request does.
type postmark struct{ secret string }

// secretField is the field of a request that may hold the password.
const secretField = "X-Webhook-Secret"

func (p postmark) verify(r *http.Request, body []byte) ([]byte, error) {
	_, given, ok := r.BasicAuth()
	if !ok {
		given = r.Header.Get(secretField)
	}
	if !same(given, p.secret) {
		return nil, errForged
	}
	return body, nil
}

// same compares without telling by its time how much is right.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func (postmark) taken([]byte) {}

// postmarkRecord is a bounce or a complaint
// (postmarkapp.com/developer/webhooks/bounce-webhook).
type postmarkRecord struct {
	RecordType, Type, Email string
	ID                      int64
	Details, Description    string
}

func (postmark) read(signed []byte) ([]mail.Report, error) {
	var rec postmarkRecord
	if err := json.Unmarshal(signed, &rec); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnknown, err)
	}
	id := strconv.FormatInt(rec.ID, 10)
	words := rec.Details
	if words == "" {
		words = rec.Description
	}
	if rec.RecordType == "SpamComplaint" || rec.Type == "SpamComplaint" {
		return []mail.Report{report(newsletter.ReportComplaint, id, rec.Email, "", words)}, nil
	}
	if rec.RecordType != "Bounce" {
		return nil, nil
	}
	kind, status := newsletter.ReportBounce, ""
	switch rec.Type {
	case "HardBounce", "BadEmailAddress":
		return []mail.Report{hard(id, rec.Email, "", words)}, nil
	case "SoftBounce", "DnsError":
		status = statusSoft
	case "SpamNotification", "VirusNotification", "Blocked", "DMARCPolicy", "TemplateRenderingFailed":
		status = statusPolicy
	case "Transient":
		kind = newsletter.ReportDelay
	default: // AutoResponder, Unsubscribe, AddressChange …
		return nil, nil
	}
	return []mail.Report{report(kind, id, rec.Email, status, words)}, nil
}
