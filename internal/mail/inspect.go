package mail

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	netmail "net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // for parts that a relay wrote anew
	"github.com/emersion/go-msgauth/dkim"
	"golang.org/x/net/html"

	"threadmill/internal/dnsname"
)

// Finding is one thing that a received mail tells about its way.
type Finding struct {
	Good bool   `json:"good"`
	What string `json:"what"`          // what was found
	Why  string `json:"why,omitempty"` // why it matters; empty where it is good
	Do   string `json:"do,omitempty"`  // what to do about it
}

// String is one line.
func (f Finding) String() string {
	if f.Good {
		return "ok: " + f.What
	}
	return "changed: " + f.What + "; " + f.Why + "; " + f.Do
}

// Inspection says what a received mail is held against.
type Inspection struct {
	From  string   // the publication's address
	Hosts []string // of its site and its web server
	// LookupTXT asks for the keys of DKIM signatures.
	LookupTXT func(domain string) ([]string, error)
}

// The bounds of what Inspect reads.
const (
	maxMail       = 32 << 20
	maxLinks      = 5000
	maxSignatures = 10
)

// Inspect reads the source of a received mail and tells what the relay made of
// it. It is an error where the file is no mail.
func (i Inspection) Inspect(r io.Reader) ([]Finding, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxMail+1))
	if err != nil {
		return nil, fmt.Errorf("read the mail: %w", err)
	}
	if len(raw) > maxMail {
		return nil, fmt.Errorf("the file has more than %d MB; save the source of one mail", maxMail>>20)
	}
	raw = crlf(raw)
	m, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil || m.Header.Get("From") == "" {
		return nil, errors.Join(errors.New("this is not the source of a mail; in the mail program take “show original” or “save as .eml”"), err)
	}
	found := slices.Concat(i.identity(m.Header), i.dropped(m.Header))
	text, page := parts(raw)
	found = append(found, i.links(text, page)...)
	found = append(found, i.pixels(page)...)
	found = append(found, i.signatures(raw)...)
	return append(found, results(m.Header)...), nil
}

// crlf gives a file that was saved with other line ends those that were signed.
func crlf(raw []byte) []byte {
	raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))
}

// ourMessageID is the form that [MessageID] gives.
var ourMessageID = regexp.MustCompile(`^<[a-z2-7]{52}@([^>]+)>$`)

// identity holds Message-ID and Return-Path against the publication's domain.
func (i Inspection) identity(h netmail.Header) []Finding {
	var found []Finding
	_, domain, _ := strings.Cut(strings.ToLower(i.From), "@")
	id := strings.TrimSpace(h.Get("Message-Id"))
	if of := ourMessageID.FindStringSubmatch(id); of != nil && strings.EqualFold(of[1], domain) {
		found = append(found, Finding{Good: true, What: "Message-ID is the one that was sent"})
	} else {
		found = append(found, Finding{
			What: fmt.Sprintf("Message-ID is %s, not one of this publication", quoted(id)),
			Why:  "a second copy cannot be told by it",
			Do:   "set mail.provider, whose headers keep it where the provider can (SES cannot)",
		})
	}
	path := strings.Trim(strings.TrimSpace(h.Get("Return-Path")), "<>")
	_, at, _ := strings.Cut(strings.ToLower(path), "@")
	switch {
	case path == "":
		found = append(found, Finding{What: "there is no Return-Path", Why: "it is not known where bounces go", Do: "save the source in the receiving mailbox, not in the sent folder"})
	case at == domain || strings.HasSuffix(at, "."+domain):
		found = append(found, Finding{Good: true, What: "Return-Path is below " + domain + ", so SPF can align with From"})
	default:
		found = append(found, Finding{
			What: fmt.Sprintf("Return-Path is at %s", quoted(at)),
			Why:  "bounces go there, and SPF does not align with From, so that DMARC rests on DKIM alone",
			Do:   "set up a return path below " + domain + " at the provider (custom MAIL FROM, return-path or bounce domain)",
		})
	}
	return found
}

// dropped finds the headers that did not arrive.
func (i Inspection) dropped(h netmail.Header) []Finding {
	var missing []string
	for _, name := range []string{"List-Id", "List-Archive", "Feedback-ID", "Date", "To"} {
		if h.Get(name) == "" {
			missing = append(missing, name)
		}
	}
	var found []Finding
	if len(missing) > 0 {
		found = append(found, Finding{What: "dropped: " + strings.Join(missing, ", "), Why: "receivers sort and trust mail by them", Do: "ask the provider to pass them on"})
	}
	leave, oneClick := h.Get("List-Unsubscribe"), strings.EqualFold(strings.TrimSpace(h.Get("List-Unsubscribe-Post")), "List-Unsubscribe=One-Click")
	to := hosts(regexp.MustCompile(`https?://[^>\s]+`).FindAllString(leave, 10))
	ours := slices.ContainsFunc(to, i.ours) || len(to) == 0 && strings.Contains(leave, "mailto:")
	switch {
	case !ours:
		found = append(found, Finding{What: fmt.Sprintf("List-Unsubscribe is %s", quoted(leave)), Why: "who leaves tells the provider and not the publication, and would get mail again from another relay", Do: "switch the provider's own unsubscribe handling off"})
	case len(to) > 0 && !oneClick:
		found = append(found, Finding{What: "List-Unsubscribe-Post is missing", Why: "Gmail and Yahoo ask for one-click (RFC 8058)", Do: "ask the provider to pass it on"})
	default:
		found = append(found, Finding{Good: true, What: "List-Unsubscribe is intact"})
	}
	return found
}

// ours tells whether host is the publication's.
func (i Inspection) ours(host string) bool {
	return slices.ContainsFunc(i.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// maxNesting bounds the parts within parts: each layer is read again for the
// one in it.
const maxNesting = 8

// parts are the text and the HTML of a mail, as far as they can be read.
func parts(raw []byte) (text, page string) {
	e, err := message.Read(bytes.NewReader(raw))
	if err != nil && e == nil {
		return "", ""
	}
	_ = e.Walk(func(path []int, part *message.Entity, err error) error {
		if err != nil {
			return err
		}
		if len(path) > maxNesting {
			return errors.New("too many parts within parts")
		}
		kind, _, _ := part.Header.ContentType()
		into := map[string]*string{"text/plain": &text, "text/html": &page}[kind]
		if into == nil || *into != "" {
			return nil
		}
		body, err := io.ReadAll(io.LimitReader(part.Body, maxPart))
		*into = string(body)
		return err
	})
	return text, page
}

// element is a link or a picture of a page.
type element struct {
	address, width, height, style string
	alt                           bool
}

// elements are those with a tag's name and an address in attribute.
func elements(page, tag, attribute string) []element {
	var list []element
	z := html.NewTokenizer(strings.NewReader(page))
	z.SetMaxBuf(1 << 20)
	for len(list) < maxLinks {
		switch z.Next() {
		case html.ErrorToken:
			return list
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			if t.Data != tag {
				continue
			}
			var e element
			for _, a := range t.Attr {
				switch a.Key {
				case attribute:
					e.address = a.Val
				case "width":
					e.width = a.Val
				case "height":
					e.height = a.Val
				case "style":
					e.style = strings.ReplaceAll(strings.ToLower(a.Val), " ", "")
				case "alt":
					e.alt = true
				}
			}
			list = append(list, e)
		}
	}
	return list
}

var webAddress = regexp.MustCompile(`https?://[^\s<>"]+`)

// links holds the links of the page against those of the text, which are made
// of the same thread.
func (i Inspection) links(text, page string) []Finding {
	if page == "" {
		return nil
	}
	known := hosts(webAddress.FindAllString(text, maxLinks))
	var links []string
	for _, e := range elements(page, "a", "href") {
		links = append(links, e.address)
	}
	var foreign []string
	linked := hosts(links)
	for _, host := range linked {
		if !i.ours(host) && !slices.Contains(known, host) {
			foreign = append(foreign, host)
		}
	}
	if slices.ContainsFunc(linked, i.ours) && len(foreign) == 0 {
		return []Finding{{Good: true, What: "the links are as they were written"}}
	}
	if len(foreign) == 0 {
		foreign = linked
	}
	return []Finding{{
		What: "links go to " + quoted(strings.Join(foreign[:min(len(foreign), 3)], ", ")),
		Why:  "the relay counts clicks, readers do not see where a link goes, and filters distrust it",
		Do:   "switch click tracking off at the provider",
	}}
}

// hosts are those of web addresses, each once.
func hosts(addresses []string) []string {
	var list []string
	for _, a := range addresses {
		u, err := url.Parse(a)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || slices.Contains(list, u.Hostname()) {
			continue
		}
		list = append(list, u.Hostname())
	}
	return list
}

// unseen are styles of pictures that nobody is to see.
var unseen = regexp.MustCompile(`display:none|visibility:hidden|(?:^|;)(?:max-)?(?:width|height):[01](?:px)?(?:!important)?(?:;|$)`)

// pixels finds pictures that tell somebody of an opened mail.
func (i Inspection) pixels(page string) []Finding {
	if page == "" {
		return nil
	}
	for _, e := range elements(page, "img", "src") {
		from := hosts([]string{e.address})
		tiny := slices.Contains([]string{"0", "1", "0px", "1px"}, e.width) || slices.Contains([]string{"0", "1", "0px", "1px"}, e.height)
		if len(from) > 0 && (tiny || unseen.MatchString(e.style) || !e.alt && !i.ours(from[0])) {
			return []Finding{{
				What: "a picture that nobody sees comes from " + quoted(from[0]),
				Why:  "the relay counts who opens the mail",
				Do:   "switch open tracking off at the provider",
			}}
		}
	}
	return []Finding{{Good: true, What: "there is no tracking pixel"}}
}

// signatures tells which DKIM signatures hold (RFC 6376).
func (i Inspection) signatures(raw []byte) []Finding {
	checks, err := dkim.VerifyWithOptions(bufio.NewReader(bytes.NewReader(raw)), &dkim.VerifyOptions{LookupTXT: i.LookupTXT, MaxVerifications: maxSignatures})
	if err != nil && !errors.Is(err, dkim.ErrTooManySignatures) {
		return []Finding{{What: "the DKIM signatures cannot be read (" + oneLine(err.Error()) + ")", Why: "they prove who sent it", Do: "save the source again, unchanged"}}
	}
	if len(checks) == 0 {
		return []Finding{{What: "there is no DKIM signature", Why: "Gmail, Yahoo and Microsoft refuse bulk mail without", Do: "set mail.dkim, or have the provider sign for the domain of mail.from"}}
	}
	_, domain, _ := strings.Cut(strings.ToLower(i.From), "@")
	var found []Finding
	aligned := false
	for _, c := range checks {
		signer := strings.ToLower(c.Domain)
		if dkim.IsTempFail(c.Err) {
			found = append(found, Finding{What: fmt.Sprintf("the key of the DKIM signature of %s is not known (%s)", quoted(signer), oneLine(c.Err.Error())), Why: "without it nobody can tell whether it holds", Do: "try again where DNS answers"})
			continue
		}
		if c.Err != nil && strings.Contains(c.Err.Error(), "no key for signature") {
			found = append(found, Finding{What: fmt.Sprintf("the key of the DKIM signature of %s is not in DNS", quoted(signer)), Why: "without it nobody can tell whether it holds", Do: "put its record there; `threadmill dkim show` prints those of mail.dkim"})
			continue
		}
		if c.Err != nil {
			found = append(found, Finding{What: fmt.Sprintf("the DKIM signature of %s does not hold (%s)", quoted(signer), oneLine(c.Err.Error())), Why: "the mail was changed after it was signed, or the key in DNS is another one", Do: "compare the DNS record with the key, and have the relay sign last"})
			continue
		}
		aligned = aligned || dnsname.Aligned(signer, domain)
		found = append(found, Finding{Good: true, What: "the DKIM signature of " + quoted(signer) + " holds"})
	}
	if !aligned {
		found = append(found, Finding{What: "no DKIM signature that holds is of " + domain, Why: "DMARC asks for one that aligns with From", Do: "set mail.dkim, or have the provider sign for " + domain})
	}
	return found
}

var method = regexp.MustCompile(`(?i)(?:^|[;\s])(spf|dkim|dmarc)\s*=\s*([a-z]+)`)

// results reads what the receiver found (RFC 8601); only its own field, the
// first, can be trusted.
func results(h netmail.Header) []Finding {
	field := h.Get("Authentication-Results")
	var found []Finding
	for _, m := range method.FindAllStringSubmatch(field[:min(len(field), 8<<10)], 10) {
		name, result := strings.ToUpper(m[1]), strings.ToLower(m[2])
		if result == "pass" {
			found = append(found, Finding{Good: true, What: "the receiver says: " + name + " pass"})
			continue
		}
		found = append(found, Finding{What: fmt.Sprintf("the receiver says: %s %s", name, result), Why: "receivers sort out what fails", Do: "look at the DNS records of the domain with check --net"})
	}
	if len(found) == 0 {
		return []Finding{{What: "the receiver names no SPF, DKIM or DMARC result", Why: "it is not known what it thinks of them", Do: "save the source from a mailbox at Gmail, Outlook or Fastmail"}}
	}
	return found
}

// quoted is a text of a stranger, short and on one line.
func quoted(s string) string {
	const limit = 100
	s = oneLine(s)
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}
