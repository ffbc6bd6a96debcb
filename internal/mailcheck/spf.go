package mailcheck

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"blitiri.com.ar/go/spf"
)

const whySPF = "Gmail, Yahoo and Microsoft want SPF to pass for bulk mail"

// spf asks whether the relay may send for the domain of the envelope sender.
func (c *checker) spf(ctx context.Context) []Finding {
	f := Finding{Check: "spf", Subject: c.envelope}
	records, err := c.Resolver.texts(ctx, c.envelope, "v=spf1")
	records = slices.DeleteFunc(records, func(r string) bool { return len(r) > 6 && r[6] != ' ' })
	if err != nil {
		return f.unanswered(err)
	}
	mechanisms := c.mechanisms(ctx)
	switch len(records) {
	case 0:
		if f = c.noSPF(f); len(mechanisms) == 0 { // a record that names nobody would do harm
			return []Finding{f.advise("write one that names the servers that send; once mail.smtp.host leads to the relay, this check prints it")}
		}
		return []Finding{f.publish(c.envelope, withMechanisms("v=spf1 ~all", mechanisms))}
	case 1:
		return []Finding{c.judgeSPF(ctx, f, records[0], mechanisms)}
	}
	return []Finding{f.with(Error, fmt.Sprintf("there are %d SPF records", len(records))).
		because("more than one counts as an error, and SPF passes for nobody (RFC 7208, section 4.5)").
		advise("delete all of them and write one").
		publish(c.envelope, merged(records, mechanisms))}
}

func (c *checker) noSPF(f Finding) Finding {
	if c.provider != nil && c.provider.own {
		return f.with(Warning, "there is no SPF record").
			because(c.provider.name + " sends with an envelope sender of its own, so this is needed only once its own return path is set up for this domain")
	}
	return f.with(Error, "there is no SPF record").because(whySPF)
}

// judgeSPF looks at the one record.
func (c *checker) judgeSPF(ctx context.Context, f Finding, record string, mechanisms []string) Finding {
	result, err := c.evaluate(ctx, nobody())
	switch {
	case result == spf.Pass:
		return f.with(Error, "the record "+quoted(record)+" lets everybody send").
			because("whoever forges this domain passes SPF and DMARC").
			advise("name the servers that send and let the rest fail").
			publish(f.Subject, withMechanisms(withoutAll(record)+" ~all", mechanisms))
	case result == spf.PermError:
		return f.with(Error, "the record "+quoted(record)+" is broken: "+spfFault(err)).
			because("receivers treat it as if SPF did not pass").
			advise(spfCure(err))
	case result == spf.TempError:
		return f.unanswered(err)[0]
	case c.provider != nil:
		return c.judgeInclude(ctx, f, record, mechanisms)
	case c.Relay == nil:
		return f.with(OK, "there is "+quoted(record)).because("no relay is set, so none was tried against it")
	}
	f = c.judgeSenders(ctx, f, record, mechanisms)
	if f.Verdict == OK && result == spf.Neutral {
		f = f.with(Warning, f.Found+", and leaves open what others may").
			because("whoever forges this domain does not fail SPF").
			publish(f.Subject, withoutAll(record)+" ~all")
	}
	return f
}

// judgeInclude looks whether the record names the servers of the provider.
func (c *checker) judgeInclude(ctx context.Context, f Finding, record string, mechanisms []string) Finding {
	if c.includes(ctx, record, c.provider.include, maxIncludes) {
		return f.with(OK, quoted(record)+" lets "+c.provider.name+" send")
	}
	f = f.with(Error, quoted(record)+" does not name "+c.provider.name).because(whySPF)
	if c.provider.own {
		f.Verdict = Warning
		f.Why = c.provider.name + " sends with an envelope sender of its own, so this is needed only once its own return path is set up for this domain; until then DMARC rests on DKIM alone"
	}
	return f.publish(f.Subject, withMechanisms(record, mechanisms))
}

// judgeSenders tries the record with each address that sends.
func (c *checker) judgeSenders(ctx context.Context, f Finding, record string, mechanisms []string) Finding {
	senders := c.senders(ctx)
	if len(senders) == 0 {
		return f.with(Warning, "there is "+quoted(record)+", but the relay "+shown(c.Relay.Host)+" has no address to try it with")
	}
	var missing, passing []string
	var worst spf.Result
	for _, ip := range senders {
		result, err := c.evaluate(ctx, ip)
		switch result {
		case spf.Pass:
			passing = append(passing, ip.String())
		case spf.TempError:
			return f.unanswered(err)[0]
		default:
			missing, worst = append(missing, ip.String()), result
		}
	}
	if len(missing) == 0 {
		return f.with(OK, quoted(record)+" lets "+strings.Join(passing, " and ")+" send")
	}
	f = f.with(Error, fmt.Sprintf("%s does not let %s send (%s)", quoted(record), strings.Join(missing, " and "), worst)).
		because(whySPF).
		publish(f.Subject, withMechanisms(record, mechanisms))
	if !public(senders[0]) {
		f.Advice = "the relay is known here by an inner address only; what counts is the one from which it reaches the world, so its name needs that address in DNS"
	}
	return f
}

func (c *checker) evaluate(ctx context.Context, ip netip.Addr) (spf.Result, error) {
	return spf.CheckHostWithSender(net.IP(ip.AsSlice()), c.envelope, "postmaster@"+c.envelope, spf.WithContext(ctx), spf.WithResolver(c.Resolver))
}

// nobody is an address that no host has (RFC 1112, section 4): what lets it
// send lets everybody, and to find that it may not takes every lookup there is.
func nobody() netip.Addr { return netip.AddrFrom4([4]byte{240, 0, 0, 1}) }

func spfFault(err error) string {
	switch {
	case errors.Is(err, spf.ErrLookupLimitReached):
		return "it takes more than 10 lookups (RFC 7208, section 4.6.4)"
	case errors.Is(err, spf.ErrVoidLookupLimitReached):
		return "more than 2 of its lookups find nothing (RFC 7208, section 4.6.4)"
	case errors.Is(err, spf.ErrNoResult):
		return "it includes a domain that has no SPF record"
	case err == nil:
		return "it cannot be evaluated"
	}
	return shown(err.Error())
}

func spfCure(err error) string {
	switch {
	case errors.Is(err, spf.ErrLookupLimitReached):
		return "take out the include, a, mx and exists that are not needed any more, or write their addresses as ip4 and ip6"
	case errors.Is(err, spf.ErrVoidLookupLimitReached), errors.Is(err, spf.ErrNoResult):
		return "take out the names that do not exist any more"
	}
	return "mend what is misspelt in it"
}

// maxIncludes is how deep and how wide includes are followed.
const maxIncludes = 10

// includes tells whether a record comes to the SPF of want.
func (c *checker) includes(ctx context.Context, record, want string, left int) bool {
	for term := range strings.FieldsSeq(strings.ToLower(record)) {
		name, ok := strings.CutPrefix(strings.TrimPrefix(term, "+"), "include:")
		if !ok {
			name, ok = strings.CutPrefix(term, "redirect=")
		}
		if !ok {
			continue
		}
		if name == want || strings.HasSuffix(name, "."+want) {
			return true
		}
		if left--; left < 0 {
			return false
		}
		records, err := c.Resolver.texts(ctx, name, "v=spf1")
		if err == nil && len(records) == 1 && c.includes(ctx, records[0], want, left) {
			return true
		}
	}
	return false
}

// mechanisms are the terms that name those who send.
func (c *checker) mechanisms(ctx context.Context) []string {
	if c.provider != nil {
		return []string{"include:" + c.provider.include}
	}
	var list []string
	for _, ip := range c.senders(ctx) {
		switch {
		case !public(ip):
			list = append(list, c.byName())
		case ip.Is6():
			list = append(list, "ip6:"+ip.String())
		default:
			list = append(list, "ip4:"+ip.String())
		}
	}
	return list
}

// byName names a relay that is known here by an inner address only.
func (c *checker) byName() string {
	host := ascii(c.Relay.Host)
	switch greeting := c.relay().greeting; {
	case greeting != "":
		return "a:" + greeting
	case net.ParseIP(host) == nil && strings.Contains(host, "."):
		return "a:" + host
	}
	return "mx"
}

// withMechanisms is a record with further terms, before that for the rest.
func withMechanisms(record string, mechanisms []string) string {
	terms := strings.Fields(record)
	at := slices.IndexFunc(terms, func(t string) bool { return isAll(t) || strings.HasPrefix(strings.ToLower(t), "redirect=") })
	if at < 0 {
		at = len(terms)
	}
	for _, m := range mechanisms {
		if !slices.Contains(terms, m) {
			terms = slices.Insert(terms, at, m)
			at++
		}
	}
	return strings.Join(terms, " ")
}

func isAll(term string) bool {
	return strings.EqualFold(strings.TrimLeft(term, "+-~?"), "all")
}

func withoutAll(record string) string {
	return strings.Join(slices.DeleteFunc(strings.Fields(record), isAll), " ")
}

// merged is one record for several.
func merged(records, mechanisms []string) string {
	one, last := "v=spf1", "~all"
	for _, r := range records {
		for _, t := range strings.Fields(r)[1:] {
			if isAll(t) {
				if strings.HasPrefix(t, "-") {
					last = "-all"
				}
				continue
			}
			one = withMechanisms(one, []string{t})
		}
	}
	return withMechanisms(one+" "+last, mechanisms)
}
