package webhook

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

// sendGrid reads the signed event webhook of SendGrid.
type sendGrid struct{ key *ecdsa.PublicKey }

func newSendGrid(key string) (sendGrid, error) {
	der, err := base64.StdEncoding.DecodeString(key)
	if err == nil {
		var parsed any
		if parsed, err = x509.ParsePKIXPublicKey(der); err == nil {
			if k, ok := parsed.(*ecdsa.PublicKey); ok {
				return sendGrid{k}, nil
			}
			err = errors.New("it is for another algorithm")
		}
	}
	return sendGrid{}, fmt.Errorf("read the verification key of SendGrid: %w", err)
}

// The fields of a signed request
// (docs.sendgrid.com, "Getting started with the event webhook security features").
const (
	sendGridSignature = "X-Twilio-Email-Event-Webhook-Signature"
	sendGridTimestamp = "X-Twilio-Email-Event-Webhook-Timestamp"
)

// sendGridWindow is how old a request may be: SendGrid tries for a day.
const sendGridWindow = 48 * time.Hour

func (s sendGrid) verify(r *http.Request, body []byte) ([]byte, error) {
	timestamp := r.Header.Get(sendGridTimestamp)
	signature, err := base64.StdEncoding.DecodeString(r.Header.Get(sendGridSignature))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errForged, err)
	}
	sum := sha256.New()
	sum.Write([]byte(timestamp))
	sum.Write(body)
	if !ecdsa.VerifyASN1(s.key, sum.Sum(nil), signature) {
		return nil, errForged
	}
	at, err := strconv.ParseInt(timestamp, 10, 64)
	if age := time.Since(time.Unix(at, 0)); err != nil || age > sendGridWindow || age < -sendGridWindow {
		return nil, fmt.Errorf("%w: its time is %.20q", errForged, timestamp)
	}
	return body, nil
}

func (sendGrid) taken([]byte) {}

// sendGridEvent is one of the events of a request
// (docs.sendgrid.com, "Event webhook reference").
type sendGridEvent struct {
	Email, Event, Type, Reason, Status, Response string
	ID                                           string `json:"sg_event_id"`
	MessageID                                    string `json:"smtp-id"`
}

func (s sendGrid) read(signed []byte) ([]mail.Report, error) {
	var events []sendGridEvent
	if err := json.Unmarshal(signed, &events); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnknown, err)
	}
	var list []mail.Report
	for _, e := range events {
		kind, status, words := newsletter.ReportBounce, e.Status, e.Reason
		switch e.Event {
		case "bounce": // blocked ones are not for good
		case "dropped": // as it is on a list of SendGrid's
			switch {
			case strings.HasPrefix(e.Reason, "Bounced Address"), strings.HasPrefix(e.Reason, "Invalid"):
				status = statusDead
			case strings.HasPrefix(e.Reason, "Spam Reporting Address"):
				kind = newsletter.ReportComplaint
			default:
				continue
			}
		case "spamreport":
			kind = newsletter.ReportComplaint
		case "deferred":
			kind, words = newsletter.ReportDelay, e.Response
		default:
			continue
		}
		r := report(kind, e.ID, e.Email, status, words)
		if e.Event == "bounce" && e.Type != "blocked" {
			r = hard(e.ID, e.Email, status, words)
		}
		r.MessageIDs = bracketed(e.MessageID)
		list = append(list, r)
	}
	return list, nil
}
