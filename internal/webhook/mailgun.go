package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

// mailgun reads what Mailgun sends. It signs a time and a token, and not what it
// says: so a token is good for one request.
type mailgun struct {
	key string

	mu   sync.Mutex
	seen map[string]time.Time // tokens, with their times
}

// mailgunWindow is how old a request may be: Mailgun tries for eight hours.
const mailgunWindow = 12 * time.Hour

// mailgunRequest is a webhook
// (documentation.mailgun.com, "Securing Webhooks" and "Event Structure").
type mailgunRequest struct {
	Signature struct{ Timestamp, Token, Signature string }
	Event     struct {
		ID, Event, Severity, Reason, Recipient string
		DeliveryStatus                         struct {
			Code                 int
			Message, Description string
			EnhancedCode         string `json:"enhanced-code"`
		} `json:"delivery-status"`
		Message struct {
			Headers struct {
				MessageID string `json:"message-id"`
			}
		}
		Envelope struct{ Sender string }
	} `json:"event-data"`
}

func (m *mailgun) verify(_ *http.Request, body []byte) ([]byte, error) {
	var req mailgunRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, fmt.Errorf("%w: %w", errForged, err)
	}
	s := req.Signature
	given, err := hex.DecodeString(s.Signature)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errForged, err)
	}
	mac := hmac.New(sha256.New, []byte(m.key))
	mac.Write([]byte(s.Timestamp + s.Token))
	if !hmac.Equal(given, mac.Sum(nil)) {
		return nil, errForged
	}
	at, err := strconv.ParseInt(s.Timestamp, 10, 64)
	if age := time.Since(time.Unix(at, 0)); err != nil || age > mailgunWindow || age < -mailgunWindow {
		return nil, fmt.Errorf("%w: its time is %.20q", errForged, s.Timestamp)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, again := m.seen[s.Token]; again {
		return nil, fmt.Errorf("%w: it came before", errForged)
	}
	return body, nil
}

// maxSeen bounds the tokens that are kept.
const maxSeen = 100_000

// taken keeps the token of a request that has done its work.
func (m *mailgun) taken(body []byte) {
	var req mailgunRequest
	_ = json.Unmarshal(body, &req) // it was read before
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen == nil {
		m.seen = map[string]time.Time{}
	}
	if len(m.seen) >= maxSeen {
		for token, at := range m.seen {
			if time.Since(at) > 2*mailgunWindow {
				delete(m.seen, token)
			}
		}
		if len(m.seen) >= maxSeen {
			clear(m.seen)
		}
	}
	m.seen[req.Signature.Token] = time.Now()
}

func (m *mailgun) read(signed []byte) ([]mail.Report, error) {
	var req mailgunRequest
	if err := json.Unmarshal(signed, &req); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnknown, err)
	}
	e := req.Event
	words := strings.TrimSpace(e.DeliveryStatus.Message)
	if words == "" {
		words = e.DeliveryStatus.Description
	}
	if code := e.DeliveryStatus.Code; code >= 400 && code < 600 && !strings.HasPrefix(words, strconv.Itoa(code)) {
		words = strconv.Itoa(code) + " " + words
	}
	kind, status := newsletter.ReportBounce, e.DeliveryStatus.EnhancedCode
	switch {
	case e.Event == "complained", e.Event == "failed" && e.Reason == "suppress-complaint":
		kind = newsletter.ReportComplaint
	case e.Event != "failed" || e.Reason == "suppress-unsubscribe":
		return nil, nil
	case e.Severity == "temporary":
		kind = newsletter.ReportDelay
	case e.Reason == "suppress-bounce":
		status = statusDead
	case e.Reason == "old":
		status = statusSoft
	}
	r := report(kind, e.ID, e.Recipient, status, words)
	r.MessageIDs = bracketed(e.Message.Headers.MessageID)
	if token, ok := mail.TokenIn(e.Envelope.Sender); ok {
		r.Tokens = []string{token}
	}
	return []mail.Report{r}, nil
}
