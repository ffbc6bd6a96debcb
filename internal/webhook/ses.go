package webhook

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // SNS signs with it unless its topic says SignatureVersion 2
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

// ses reads what SES publishes to a topic of SNS, which signs it with a key
// whose certificate stands at an address of its own.
type ses struct {
	topic  string
	host   string // of SNS in the region of the topic
	client *http.Client

	mu   sync.Mutex
	keys map[string]*rsa.PublicKey // by the address of their certificates
}

func newSES(topic string, client *http.Client) *ses {
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &ses{topic: topic, host: snsHost(topic), client: &own, keys: map[string]*rsa.PublicKey{}}
}

// snsMessage is a request of SNS
// (docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html).
type snsMessage struct {
	Type             string
	MessageId        string
	TopicArn         string
	Subject          *string
	Message          string
	Timestamp        string
	SignatureVersion string
	Signature        string
	SigningCertURL   string
	SubscribeURL     string
	Token            string
}

// The types of requests.
const (
	snsNotification = "Notification"
	snsConfirmation = "SubscriptionConfirmation"
)

// text is what is signed: names and values of some fields, in order.
func (m snsMessage) text() string {
	fields := []string{"Message", m.Message, "MessageId", m.MessageId}
	if m.Type == snsNotification {
		if m.Subject != nil {
			fields = append(fields, "Subject", *m.Subject)
		}
		fields = append(fields, "Timestamp", m.Timestamp)
	} else {
		fields = append(fields, "SubscribeURL", m.SubscribeURL, "Timestamp", m.Timestamp, "Token", m.Token)
	}
	return strings.Join(append(fields, "TopicArn", m.TopicArn, "Type", m.Type), "\n") + "\n"
}

// verify confirms a subscription of the topic at once.
func (s *ses) verify(r *http.Request, body []byte) ([]byte, error) {
	var m snsMessage
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", errForged, err)
	}
	if m.TopicArn != s.topic {
		return nil, fmt.Errorf("%w: it is of the topic %.100q, and mail.webhooks.ses names another one", errForged, m.TopicArn)
	}
	if err := s.checkSignature(r, m); err != nil {
		return nil, err
	}
	switch m.Type {
	case snsNotification:
		return []byte(m.Message), nil
	case snsConfirmation:
		return nil, s.visit(r, m.SubscribeURL)
	}
	return nil, nil
}

func (s *ses) checkSignature(r *http.Request, m snsMessage) error {
	signature, err := base64.StdEncoding.DecodeString(m.Signature)
	if err != nil {
		return fmt.Errorf("%w: %w", errForged, err)
	}
	key, err := s.key(r, m.SigningCertURL)
	if err != nil {
		return err
	}
	hash, sum := crypto.SHA256, []byte(nil)
	switch m.SignatureVersion {
	case "1":
		hash = crypto.SHA1
		d := sha1.Sum([]byte(m.text())) //nolint:gosec // see the import
		sum = d[:]
	case "2":
		d := sha256.Sum256([]byte(m.text()))
		sum = d[:]
	default:
		return fmt.Errorf("%w: version %.10q of signatures is not known", errForged, m.SignatureVersion)
	}
	if err := rsa.VerifyPKCS1v15(key, hash, sum, signature); err != nil {
		return fmt.Errorf("%w: %w", errForged, err)
	}
	return nil
}

// snsHost is where the SNS of a topic has its certificates and its links to
// confirm. Other names of the same form are not its own: a bucket that is called
// sns stands at sns.s3-us-west-2.amazonaws.com.
func snsHost(topic string) string {
	parts := strings.Split(topic, ":") // arn:aws:sns:eu-west-1:123456789012:name
	if len(parts) != 6 || parts[3] == "" {
		return ""
	}
	host := "sns." + parts[3] + ".amazonaws.com"
	if parts[1] == "aws-cn" {
		host += ".cn"
	}
	return host
}

// fromSNS checks an address before it is asked for.
func (s *ses) fromSNS(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil || s.host == "" || u.Host != s.host {
		return nil, fmt.Errorf("%w: %.100q is no address of SNS", errForged, address)
	}
	return u, nil
}

// maxKeys bounds the certificates that are kept; SNS has a few.
const maxKeys = 16

func (s *ses) key(r *http.Request, address string) (*rsa.PublicKey, error) {
	u, err := s.fromSNS(address)
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(u.Path, ".pem") || u.RawQuery != "" {
		return nil, fmt.Errorf("%w: %.100q is no certificate", errForged, address)
	}
	s.mu.Lock()
	key, ok := s.keys[address]
	s.mu.Unlock()
	if ok {
		return key, nil
	}
	text, err := s.get(r, u)
	if err != nil {
		return nil, err
	}
	if key, err = certified(text); err != nil {
		return nil, fmt.Errorf("%w: %w", errForged, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.keys) >= maxKeys {
		clear(s.keys)
	}
	s.keys[address] = key
	return key, nil
}

// certified is the key of a certificate that is valid now. That it is that of
// SNS is proven by the host that it came from.
func certified(text []byte) (*rsa.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%w: there is no certificate", errUnknown)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if now := time.Now(); !ok || now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return nil, fmt.Errorf("%w: the certificate is not valid now, or not for RSA", errUnknown)
	}
	return key, nil
}

// visit confirms a subscription (SNS, "Confirm the subscription").
func (s *ses) visit(r *http.Request, address string) error {
	u, err := s.fromSNS(address)
	if err == nil {
		_, err = s.get(r, u)
	}
	return err
}

const maxAnswer = 64 << 10

func (s *ses) get(r *http.Request, u *url.URL) ([]byte, error) {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", u.Host, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask %s: %s", u.Host, res.Status)
	}
	return io.ReadAll(io.LimitReader(res.Body, maxAnswer))
}

func (s *ses) taken([]byte) {}

// sesEvent is a notification or an event of SES
// (docs.aws.amazon.com/ses/latest/dg/notification-contents.html).
type sesEvent struct {
	NotificationType, EventType string
	Bounce                      struct {
		BounceType, BounceSubType, FeedbackID string
		BouncedRecipients                     []sesRecipient
	}
	Complaint struct {
		FeedbackID, ComplaintFeedbackType string
		ComplainedRecipients              []sesRecipient
	}
	DeliveryDelay struct {
		DelayedRecipients []sesRecipient
	}
	Mail struct {
		MessageID, Source string
		Headers           []struct{ Name, Value string }
		CommonHeaders     struct{ MessageID string }
	}
}

type sesRecipient struct{ EmailAddress, Status, DiagnosticCode string }

func (s *ses) read(signed []byte) ([]mail.Report, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(signed), []byte("{")) {
		return nil, nil // SES says in plain words that it may publish here
	}
	var e sesEvent
	if err := json.Unmarshal(signed, &e); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnknown, err)
	}
	var list []mail.Report
	kind, id, people := newsletter.ReportBounce, e.Bounce.FeedbackID, e.Bounce.BouncedRecipients
	switch e.NotificationType + e.EventType {
	case "Bounce":
	case "Complaint":
		if e.Complaint.ComplaintFeedbackType == "not-spam" {
			return nil, nil
		}
		kind, id, people = newsletter.ReportComplaint, e.Complaint.FeedbackID, e.Complaint.ComplainedRecipients
	case "DeliveryDelay":
		kind, id, people = newsletter.ReportDelay, e.Mail.MessageID, e.DeliveryDelay.DelayedRecipients
	default:
		return nil, nil
	}
	for _, p := range people {
		words := p.DiagnosticCode
		if _, text, ok := strings.Cut(words, ";"); ok {
			words = text
		}
		r := report(kind, id, p.EmailAddress, p.Status, words)
		if kind == newsletter.ReportBounce {
			r = sesBounce(e.Bounce.BounceType, e.Bounce.BounceSubType, id, p.EmailAddress, p.Status, words)
		}
		list = append(list, e.about(r))
	}
	return list, nil
}

// sesBounce is a bounce of a type.
func sesBounce(kind, sub, id, address, status, words string) mail.Report {
	switch {
	case sub == "MailboxFull":
		status = statusFull
	case sub == "ContentRejected", sub == "AttachmentRejected", sub == "MessageTooLarge":
		status = statusPolicy
	case kind == "Permanent":
		return hard(id, address, status, words)
	}
	return report(newsletter.ReportBounce, id, address, status, words)
}

// about adds what tells which mail it is.
func (e sesEvent) about(r mail.Report) mail.Report {
	if token, ok := mail.TokenIn("<" + e.Mail.Source + ">"); ok {
		r.Tokens = append(r.Tokens, token)
	}
	r.MessageIDs = bracketed(e.Mail.CommonHeaders.MessageID)
	for _, h := range e.Mail.Headers[:min(len(e.Mail.Headers), 100)] {
		switch strings.ToLower(h.Name) {
		case "message-id":
			r.MessageIDs = append(r.MessageIDs, bracketed(h.Value)...)
		case "list-unsubscribe":
			r.Links = append(r.Links, mail.LinksIn(h.Value)...)
		}
	}
	return r
}
