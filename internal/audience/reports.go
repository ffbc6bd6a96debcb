package audience

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	netmail "net/mail"
	"regexp"
	"slices"
	"strings"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

// ReportStore keeps what other servers report.
type ReportStore interface {
	// TakeReport does what a report asks for, once.
	TakeReport(ctx context.Context, r newsletter.Report) (newsletter.ReportOutcome, error)
	// Subscriber and SubscriberByKey return an error that is
	// newsletter.ErrNotFound where there is none.
	Subscriber(ctx context.Context, id int64) (newsletter.Subscriber, error)
	SubscriberByKey(ctx context.Context, key string) (newsletter.Subscriber, error)
	// LastSent is the latest issue that was sent to a subscriber, LastIssue that
	// of all; 0 for none.
	LastSent(ctx context.Context, subscriber int64) (int64, error)
	LastIssue(ctx context.Context) (int64, error)
}

// ReportOptions are the parts of [Reports].
type ReportOptions struct {
	Store        ReportStore
	Tokens       *Tokens
	MessageIDKey []byte // see mail.MessageID
	// Unsubscribe ends the subscription that the token of a link names.
	Unsubscribe func(ctx context.Context, token string) (newsletter.Subscriber, error)
	// Confirm takes an answer to a letter that asked for a confirmation, from an
	// address; answers are where its token may stand. It tells whether there was
	// one. Nil where nothing asks.
	Confirm func(ctx context.Context, from string, answers []string) (bool, error)
	Log     *slog.Logger
}

// Reports takes in the mail that comes back. It may be used by several
// goroutines at once.
type Reports struct{ o ReportOptions }

// NewReports returns the Reports of a publication.
func NewReports(o ReportOptions) *Reports { return &Reports{o: o} }

// ReportResult is what a mail was, and what it changed.
type ReportResult struct {
	Kind       newsletter.ReportKind // empty for one that reports nothing
	Outcome    newsletter.ReportOutcome
	Subscriber int64 // 0 for nobody
	Issue      int64 // 0 where that is not known
	Class      newsletter.Bounce
}

// Ours tells whether a mail was for us, so that nobody else needs to see it.
// Automatic answers to our mail are.
func (r ReportResult) Ours() bool {
	return r.Outcome != newsletter.ReportIgnored || r.Subscriber != 0
}

// Take takes in one mail that came to an address, empty where that is not
// known, by a way such as "smtp". What proves nothing changes nothing. An error
// says that the mail has to come again: the database did not take it.
func (r *Reports) Take(ctx context.Context, envelope string, raw []byte, source string) (ReportResult, error) {
	report, err := mail.ReadReport(raw)
	if err != nil {
		return ReportResult{Outcome: newsletter.ReportIgnored}, nil //nolint:nilerr // what is no mail is no fault of ours
	}
	if envelope != "" {
		report.Answers = append([]string{envelope}, report.Answers...)
		if token, ok := mail.TokenIn(envelope); ok {
			report.Tokens = append([]string{token}, report.Tokens...)
		}
	}
	result, err := r.take(ctx, report, raw, source)
	if err != nil {
		return result, fmt.Errorf("take in mail by %s: %w", source, err)
	}
	r.o.Log.InfoContext(ctx, "mail came back", "source", source, "kind", string(result.Kind), "outcome", string(result.Outcome),
		"subscriber", result.Subscriber, "issue", result.Issue, "class", string(result.Class))
	return result, nil
}

func (r *Reports) take(ctx context.Context, report mail.Report, raw []byte, source string) (ReportResult, error) {
	result := ReportResult{Kind: report.Kind, Outcome: newsletter.ReportIgnored}
	if done, err := r.unsubscribe(ctx, report, &result); done || err != nil {
		return result, err
	}
	switch report.Kind {
	case newsletter.ReportAutomatic: // it is told from mail of others by the token
		result.Subscriber, result.Issue = r.token(report)
		return result, nil
	case "":
		return r.answer(ctx, report, result)
	}
	sub, issue, err := r.whom(ctx, report)
	if err != nil || sub.ID == 0 {
		return result, err
	}
	if report.ID == "" {
		sum := sha256.Sum256(raw)
		report.ID = hex.EncodeToString(sum[:])
	}
	return r.keep(ctx, report, sub, issue, source)
}

// Told takes in what a provider tells by a way whose origin is verified, such as
// "ses": an address alone is believed, and counts for the last issue that was
// sent to it where the report names none.
func (r *Reports) Told(ctx context.Context, report mail.Report, source string) (ReportResult, error) {
	result := ReportResult{Kind: report.Kind, Outcome: newsletter.ReportIgnored}
	sub, issue, err := r.whom(ctx, report)
	for _, d := range report.Recipients {
		if err == nil && sub.ID == 0 {
			sub, err = r.at(ctx, d.Address)
		}
	}
	if err == nil && sub.ID != 0 && issue == 0 {
		issue, err = r.o.Store.LastSent(ctx, sub.ID)
	}
	if err == nil && sub.ID != 0 {
		result, err = r.keep(ctx, report, sub, issue, source)
	}
	if err != nil {
		return result, fmt.Errorf("take in a report by %s: %w", source, err)
	}
	r.o.Log.InfoContext(ctx, "a provider reported", "source", source, "kind", string(result.Kind), "outcome", string(result.Outcome),
		"subscriber", result.Subscriber, "issue", result.Issue, "class", string(result.Class))
	return result, nil
}

// maxReportText bounds what is kept of the words of a server, in octets.
const maxReportText = 500

// keep hands a report about sub to the store.
func (r *Reports) keep(ctx context.Context, report mail.Report, sub newsletter.Subscriber, issue int64, source string) (ReportResult, error) {
	words, class := reported(report, sub)
	kept := newsletter.Report{
		At: now(), Subscriber: sub.ID, Issue: issue, Kind: report.Kind,
		Source: source, Status: words.Status, Text: clip(words.Diagnostic, maxReportText),
	}
	if report.Kind == newsletter.ReportBounce {
		kept.Class = class
	}
	kept.Digest = digest(kept, report.ID)
	outcome, err := r.o.Store.TakeReport(ctx, kept)
	return ReportResult{Kind: kept.Kind, Outcome: outcome, Subscriber: sub.ID, Issue: issue, Class: kept.Class}, err
}

// digest is the same for all that tell the same about one delivery. Where it is
// not known which, it is about the report with an id.
func digest(r newsletter.Report, id string) string {
	text := fmt.Sprintf("%s %d %d %s", r.Kind, r.Subscriber, r.Issue, r.Class)
	if r.Issue == 0 {
		text += " " + id
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// token is whom and which issue a token in a report names; zeros for nobody.
func (r *Reports) token(report mail.Report) (subscriber, issue int64) {
	for _, token := range report.Tokens {
		if subscriber, issue, err := r.o.Tokens.VerifyBounce(token); err == nil {
			return subscriber, issue
		}
	}
	for _, token := range report.Links {
		if subscriber, issue, err := r.o.Tokens.Verify(token); err == nil {
			return subscriber, issue
		}
	}
	return 0, 0
}

// whom tells whose delivery a report is about: by a token, or by an address
// together with the Message-ID of what was sent to it, which only its own mail
// holds. The zero Subscriber is nobody, as is one who was forgotten.
func (r *Reports) whom(ctx context.Context, report mail.Report) (sub newsletter.Subscriber, issue int64, err error) {
	if id, issue := r.token(report); id != 0 {
		sub, err := r.o.Store.Subscriber(ctx, id)
		return sub, issue, known(err)
	}
	if len(report.MessageIDs) == 0 {
		return newsletter.Subscriber{}, 0, nil
	}
	var tried []string
	for _, d := range report.Recipients {
		if slices.Contains(tried, d.Address) || len(tried) == maxTried {
			continue
		}
		tried = append(tried, d.Address)
		sub, err := r.at(ctx, d.Address)
		if err != nil {
			return newsletter.Subscriber{}, 0, err
		}
		if issue, err := r.issueOf(ctx, sub, report.MessageIDs); err != nil || issue > 0 && sub.ID != 0 {
			return sub, issue, err
		}
	}
	return newsletter.Subscriber{}, 0, nil
}

// maxTried bounds the recipients of a report whose Message-IDs are tried: our
// mails have one.
const maxTried = 5

// known is no error where somebody is not there.
func known(err error) error {
	if errors.Is(err, newsletter.ErrNotFound) {
		return nil
	}
	return err
}

// at is the subscriber with an address, the zero one for none.
func (r *Reports) at(ctx context.Context, address string) (newsletter.Subscriber, error) {
	addr, err := ParseAddress(address)
	if err != nil {
		return newsletter.Subscriber{}, nil //nolint:nilerr // others write what they like
	}
	sub, err := r.o.Store.SubscriberByKey(ctx, addr.Key)
	return sub, known(err)
}

// maxIssues bounds the issues whose Message-IDs are tried, the latest ones.
const maxIssues = 5000

// issueOf is the issue whose copy for sub has one of the Message-IDs, 0 for
// none. The domain does not matter: only the key makes what stands before it. Of
// nobody they are tried as well: how long it takes must not tell a stranger who
// is on the list.
func (r *Reports) issueOf(ctx context.Context, sub newsletter.Subscriber, ids []string) (int64, error) {
	last, err := r.o.Store.LastIssue(ctx)
	if err != nil {
		return 0, err
	}
	given := map[string]bool{}
	for _, id := range ids {
		local, _, _ := strings.Cut(strings.ToLower(id), "@")
		given[local+"@>"] = true
	}
	for issue := last; issue > max(0, last-maxIssues); issue-- {
		if given[mail.MessageID(r.o.MessageIDKey, issue, sub.ID, "")] {
			return issue, nil
		}
	}
	return 0, nil
}

// reported is what a report says about sub: of the only recipient, or of the one
// with the same address. Of several others, to which the address led, some may
// have got it.
func reported(report mail.Report, sub newsletter.Subscriber) (mail.Reported, newsletter.Bounce) {
	list := report.Recipients
	if report.Kind == newsletter.ReportBounce {
		list = slices.DeleteFunc(slices.Clone(list), func(d mail.Reported) bool { return !d.Failed() })
	}
	for _, d := range list {
		if addr, err := ParseAddress(d.Address); err == nil && addr.Key == sub.Key {
			return d, d.Class()
		}
	}
	switch {
	case len(list) == 0:
		return mail.Reported{}, ""
	case len(report.Recipients) > 1 && list[0].Class() != newsletter.BouncePolicy:
		return list[0], newsletter.BounceSoft
	}
	return list[0], list[0].Class()
}

var (
	// unsubscribeSubject is what the mailto link of List-Unsubscribe asks for
	// (RFC 2369, section 3.2).
	unsubscribeSubject = regexp.MustCompile(`(?i:^\s*unsubscribe)(?:\s|:|%20|\+)+([A-Za-z0-9_-]{16,64})\s*$`)
	unsubscribeAddress = regexp.MustCompile(`(?i:\bunsubscribe)[+-]([A-Za-z0-9_-]{16,64})@`)
)

// UnsubscribeToken finds the token of a link in a subject, or in an address,
// of a mail that asks to leave.
func UnsubscribeToken(subject string, addresses ...string) (token string, ok bool) {
	if m := unsubscribeSubject.FindStringSubmatch(subject); m != nil {
		return m[1], true
	}
	for _, a := range addresses {
		if m := unsubscribeAddress.FindStringSubmatch(a); m != nil {
			return m[1], true
		}
	}
	return "", false
}

// unsubscribe does what a mail to the address of List-Unsubscribe asks for. The
// token is proof enough, whoever sends it, as it is in the link.
func (r *Reports) unsubscribe(ctx context.Context, report mail.Report, result *ReportResult) (done bool, err error) {
	token, ok := UnsubscribeToken(report.Subject, report.Answers...)
	if !ok || report.Kind != "" && report.Kind != newsletter.ReportAutomatic {
		return false, nil
	}
	if _, _, err := r.o.Tokens.Verify(token); err != nil {
		return false, nil //nolint:nilerr // a mail like any other
	}
	sub, err := r.o.Unsubscribe(ctx, token)
	if err != nil {
		return false, err
	}
	result.Outcome, result.Subscriber = newsletter.ReportUnsubscribed, sub.ID
	return true, nil
}

// answer takes what a person wrote for the confirmation of a sign-up, if it
// answers the letter that asked for one.
func (r *Reports) answer(ctx context.Context, report mail.Report, result ReportResult) (ReportResult, error) {
	from, err := netmail.ParseAddress(report.From)
	if err != nil || r.o.Confirm == nil {
		return result, nil //nolint:nilerr // a mail like any other
	}
	done, err := r.o.Confirm(ctx, from.Address, report.Answers)
	if done && err == nil {
		result.Outcome = newsletter.ReportConfirmed
	}
	if errors.Is(err, ErrToken) {
		err = nil
	}
	return result, err
}

// Accepts tells whether an address can be one that mail comes back to: of one
// of our tokens.
func (r *Reports) Accepts(address string) bool {
	if token, ok := mail.TokenIn(address); ok {
		if _, _, err := r.o.Tokens.VerifyBounce(token); err == nil {
			return true
		}
	}
	if token, ok := UnsubscribeToken("", address); ok {
		_, _, err := r.o.Tokens.Verify(token)
		return err == nil
	}
	if m := confirmAddress.FindStringSubmatch(address); m != nil {
		_, _, err := r.o.Tokens.VerifyFor(PurposeConfirm, m[1])
		return err == nil
	}
	return false
}

// confirmAddress is where an answer to a letter goes that asks for a
// confirmation.
var confirmAddress = regexp.MustCompile(`(?i)(?:^|\+)confirm[+-]([a-z2-7]{16,76})@`)
