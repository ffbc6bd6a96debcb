package mail

import (
	"bufio"
	"bytes"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/textproto"
)

// deliveryStatus reads the fields about the message and about each recipient
// (RFC 3464, section 2.1): groups with an empty line between.
func (r *reading) deliveryStatus(body io.Reader) {
	in := bufio.NewReader(body)
	for range maxReported + 1 {
		h, err := textproto.ReadHeader(in)
		if h.Len() > 0 {
			r.statusGroup(h)
		}
		if err != nil {
			return
		}
		if _, err := in.Peek(1); err != nil {
			return
		}
	}
}

func (r *reading) statusGroup(h textproto.Header) {
	r.found(typed(h.Get("X-Postfix-Sender")))
	if id := bracketed.FindString(h.Get("X-Original-Message-Id")); id != "" { // Gmail
		r.MessageIDs = add(r.MessageIDs, id)
	}
	address := typed(h.Get("Original-Recipient"))
	if address == "" {
		address = typed(h.Get("Final-Recipient"))
	}
	action, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(h.Get("Action"))), " ")
	status := statusCode(h.Get("Status"))
	if address == "" && action == "" {
		return // about the message
	}
	if action == "" && strings.HasPrefix(status, "5.") {
		action = "failed"
	}
	r.report(Reported{Address: address, Action: action, Status: status, Diagnostic: typed(h.Get("Diagnostic-Code"))})
}

func (r *reading) report(d Reported) {
	if len(r.Recipients) < maxReported {
		d.Address, d.Action, d.Diagnostic = bounded(d.Address), bounded(d.Action), bounded(d.Diagnostic)
		r.Recipients = append(r.Recipients, d)
	}
}

// typed is the value of a field that has its type before a semicolon (RFC
// 3464, section 2.1.2): rfc822; jo@example.com.
func typed(field string) string {
	kind, value, ok := strings.Cut(field, ";")
	if !ok || strings.ContainsAny(strings.TrimSpace(kind), " @<") {
		value = field
	}
	return strings.Trim(strings.TrimSpace(value), "<>")
}

var enhancedCode = regexp.MustCompile(`\b[245]\.\d{1,3}\.\d{1,3}\b`)

// statusCode is the code of a field that may say more: 5.1.1 (bad address).
func statusCode(field string) string {
	code, _, _ := strings.Cut(strings.TrimSpace(field), " ")
	if isEnhanced(code) {
		return code
	}
	return ""
}

// replyCode is the answer of a server in its words, which may stand behind its
// name: 550 5.1.1, 550-5.1.1 or 550 alone.
var replyCode = regexp.MustCompile(`(?:^|[\s:;(<#])([45]\d\d)(?:[\s-]|$)(?:\s*#?([245]\.\d{1,3}\.\d{1,3})\b)?`)

// refusal is what the server said, as if it had said it to us. The code in its
// words is better than that of the status, which others have to guess.
func (r Reported) refusal() *Refusal {
	refusal := &Refusal{Code: 550, Enhanced: r.Status, Text: r.Diagnostic}
	m := replyCode.FindStringSubmatch(r.Diagnostic)
	if m != nil {
		refusal.Code, _ = strconv.Atoi(m[1]) // three digits
	}
	switch {
	case m != nil && m[2] != "" && !strings.HasSuffix(m[2], ".0.0"):
		refusal.Enhanced = m[2]
	case vague(refusal.detail()):
		if code := enhancedCode.FindString(r.Diagnostic); code != "" {
			refusal.Enhanced = code
		}
	}
	return refusal
}

// feedbackReport reads the fields of RFC 5965, section 3.
func (r *reading) feedbackReport(body io.Reader) {
	h, _ := textproto.ReadHeader(bufio.NewReader(body)) // what could be read of it
	r.feedback = strings.ToLower(strings.TrimSpace(h.Get("Feedback-Type")))
	r.found(h.Get("Original-Mail-From"))
	for _, field := range []string{"Original-Rcpt-To", "Removal-Recipient"} {
		for _, value := range h.Values(field) {
			r.report(Reported{Address: strings.Trim(strings.TrimSpace(value), "<>")})
		}
	}
}

// original reads the header of the mail that is reported on.
func (r *reading) original(body io.Reader) {
	h, _ := textproto.ReadHeader(bufio.NewReader(body)) // what could be read of it
	if h.Len() == 0 || r.returned {
		return
	}
	r.returned = true
	head := message.Header{Header: h}
	r.tokens(head)
	for _, field := range []string{"Message-Id", "X-Original-Message-Id"} {
		if id := bracketed.FindString(h.Get(field)); id != "" {
			r.MessageIDs = add(r.MessageIDs, id)
		}
	}
	for _, field := range h.Values("List-Unsubscribe") {
		for _, token := range LinksIn(field) {
			r.Links = add(r.Links, token)
		}
	}
}

// LinksIn are what may be tokens in a List-Unsubscribe field.
func LinksIn(field string) (tokens []string) {
	for _, m := range unsubscribeLink.FindAllStringSubmatch(field[:min(len(field), 10*maxField)], maxFound) {
		tokens = append(tokens, m[1])
	}
	return tokens
}

var (
	bracketed = regexp.MustCompile(`<[^\s<>]{3,300}>`)
	// unsubscribeLink is how a token stands in List-Unsubscribe, in an address
	// of the web or in the subject of a mail.
	unsubscribeLink = regexp.MustCompile(`unsubscribe(?:/|%20|\+)([A-Za-z0-9_-]{16,64})\s*[>?&]`)
)

// addressFields are those that may hold the address a mail was sent from, or
// came to.
var addressFields = []string{
	"Return-Path", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Delivered-To", "To",
	"X-Envelope-From", "Errors-To", "X-Original-Return-Path", "Sender",
}

func (r *reading) tokens(h message.Header) {
	for _, field := range addressFields {
		for _, value := range h.Values(field) {
			r.found(value)
		}
	}
}

// tokenAt is a token in an address. What forwarders and BATV put around the
// address stands before the plus.
var tokenAt = regexp.MustCompile(`\+([A-Za-z2-7]{16,` + strconv.Itoa(MaxBounceToken) + `})@`)

// found keeps the tokens in a text with addresses.
func (r *reading) found(text string) {
	for _, m := range tokenAt.FindAllStringSubmatch(text[:min(len(text), 10*maxField)], maxFound) {
		r.Tokens = add(r.Tokens, strings.ToLower(m[1]))
	}
}

// TokenIn is the token of an envelope sender in an address that a mail came to,
// whatever else is in it; not ok: there is none that could be one.
func TokenIn(address string) (token string, ok bool) {
	var r reading
	if r.found(address); len(r.Tokens) == 0 {
		return "", false
	}
	return r.Tokens[0], true
}

func add(list []string, text string) []string {
	if len(list) == maxFound || slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}

// plainOf drops the tags of a text in HTML, with a line for each that begins one.
func plainOf(html string) string {
	return htmlTag.ReplaceAllStringFunc(html, func(tag string) string {
		if m := lineTag.MatchString(tag); m {
			return "\n"
		}
		return ""
	})
}

var (
	htmlTag = regexp.MustCompile(`<[/!a-zA-Z][^<>@]*>`)
	lineTag = regexp.MustCompile(`(?i)^</?(p|br|div|tr|li|h\d|table)\b`)
)

// copied reads the header of a returned mail that stands in the text itself.
func (r *reading) copied(text string) {
	r.original(bytes.NewReader([]byte(strings.TrimLeft(text, "\n") + "\n\n")))
}
