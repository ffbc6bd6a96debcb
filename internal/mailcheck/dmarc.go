package mailcheck

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"threadmill/internal/dnsname"
)

const whyDMARC = "Gmail, Yahoo and Microsoft refuse bulk mail from a domain without DMARC"

// dmarc asks for the policy of the From domain and whether our mail is aligned
// with it (RFC 7489).
func (c *checker) dmarc(ctx context.Context) []Finding {
	name := "_dmarc." + c.from
	f := Finding{Check: "dmarc", Subject: name}
	records, err := c.policies(ctx, c.from)
	inherited := false
	if err == nil && len(records) == 0 && dnsname.Organisation(c.from) != c.from {
		inherited, name = true, "_dmarc."+dnsname.Organisation(c.from)
		records, err = c.policies(ctx, dnsname.Organisation(c.from))
	}
	f.Subject = name
	switch {
	case err != nil:
		return f.unanswered(err)
	case len(records) == 0:
		return []Finding{f.with(Error, "there is no DMARC record").because(whyDMARC).publish(name, c.policy())}
	case len(records) > 1:
		return []Finding{f.with(Error, fmt.Sprintf("there are %d DMARC records", len(records))).
			because("more than one counts as none (RFC 7489, section 6.6.3)").advise("leave only one").publish(name, records[0])}
	}
	found, err := tags(records[0])
	if err != nil {
		return []Finding{f.with(Error, "the record "+quoted(records[0])+" cannot be read: "+err.Error()).because(whyDMARC).publish(name, c.policy())}
	}
	list := []Finding{c.judgeDMARC(f, records[0], found, inherited), c.alignment(found)}
	return append(list, c.reports(ctx, f, found)...)
}

func (c *checker) policies(ctx context.Context, domain string) ([]string, error) {
	return c.Resolver.texts(ctx, "_dmarc."+domain, "v=DMARC1")
}

// policy is the record to begin with.
func (c *checker) policy() string {
	return "v=DMARC1; p=none; rua=mailto:dmarc@" + dnsname.Organisation(c.from)
}

// judgeDMARC looks at what the record asks receivers to do.
func (c *checker) judgeDMARC(f Finding, record string, found map[string]string, inherited bool) Finding {
	p, tag := strings.ToLower(found["p"]), "p"
	if sp, given := found["sp"]; inherited && given {
		p, tag = strings.ToLower(sp), "sp"
	}
	pct, given := found["pct"]
	share, err := strconv.Atoi(pct)
	switch {
	case !strings.HasPrefix(record, "v=DMARC1"):
		return f.with(Error, "the record "+quoted(record)+" is not written exactly v=DMARC1").because(whyDMARC).publish(f.Subject, c.policy())
	case p != "none" && p != "quarantine" && p != "reject":
		return f.with(Error, fmt.Sprintf("the record %s has no valid %s=", quoted(record), tag)).because(whyDMARC).publish(f.Subject, c.policy())
	case p == "none":
		return f.with(Warning, fmt.Sprintf("the policy is %s=none", tag)).
			because("it is enough for Gmail, Yahoo and Microsoft, but does not keep others from sending as "+c.from).
			advise("once the reports show that all of your own mail passes, ask for more").publish(f.Subject, stricter(record, tag))
	case given && (err != nil || share < 0 || share > 100):
		return f.with(Error, "pct="+shown(pct)+" is not a number from 0 to 100").because("receivers may ignore the record").advise("take pct out")
	case given && share < 100:
		return f.with(Warning, fmt.Sprintf("the policy %s=%s is for %d of 100 mails only", tag, p, share)).
			because("the others of a forger pass").advise("take pct out")
	}
	return f.with(OK, fmt.Sprintf("the policy is %s=%s", tag, p))
}

// stricter is the record with quarantine as its policy.
func stricter(record, tag string) string {
	parts := strings.Split(record, ";")
	for i, part := range parts {
		if name, _, _ := strings.Cut(part, "="); strings.TrimSpace(name) == tag {
			parts[i] = " " + tag + "=quarantine"
		}
	}
	return strings.Join(parts, ";")
}

// alignment tells by which of SPF and DKIM our mail passes DMARC (RFC 7489,
// section 3.1).
func (c *checker) alignment(found map[string]string) Finding {
	f := Finding{Check: "alignment", Subject: c.from}
	var by, not []string
	if c.provider == nil || !c.provider.own {
		if aligned(c.envelope, c.from, found["aspf"] == "s") {
			by = append(by, "SPF of "+c.envelope)
		} else {
			not = append(not, "the envelope sender is of "+c.envelope)
		}
	} else {
		not = append(not, "the envelope sender is of "+c.provider.name)
	}
	var domains []string
	for _, k := range c.Keys {
		domains = append(domains, ascii(k.Domain))
	}
	slices.Sort(domains)
	for _, domain := range slices.Compact(domains) {
		if aligned(domain, c.from, found["adkim"] == "s") {
			by = append(by, "DKIM of "+domain)
		} else {
			not = append(not, "a signature is of "+domain)
		}
	}
	switch {
	case len(by) > 0:
		return f.with(OK, "From is aligned with "+strings.Join(by, " and "))
	case c.provider != nil && len(c.Keys) == 0:
		return f.with(Warning, strings.Join(not, ", ")+", so DMARC passes only if "+c.provider.name+" signs as "+dnsname.Organisation(c.from)).
			because("without that the mail fails DMARC").advise("verify the domain " + c.from + " with " + c.provider.name)
	}
	return f.with(Error, "From is aligned with nothing: "+strings.Join(not, ", ")).
		because("the mail fails DMARC even if SPF and DKIM pass").
		advise("sign with a key of " + c.from + " (mail.dkim), or send with an envelope sender of it (mail.bounce.domain)")
}

// reports looks where reports go, and whether they are wanted there (RFC 7489,
// section 7.1).
func (c *checker) reports(ctx context.Context, f Finding, found map[string]string) []Finding {
	f.Check = "dmarc-reports"
	rua := found["rua"]
	if rua == "" {
		return []Finding{f.with(Warning, "no reports are asked for (rua)").
			because("without them nobody tells who sends as " + c.from).advise("add rua=mailto: and an address of yours to the record")}
	}
	var list []Finding
	for i, uri := range strings.Split(rua, ",") {
		address, ok := strings.CutPrefix(strings.TrimSpace(uri), "mailto:")
		address, _, _ = strings.Cut(address, "!") // the greatest size
		domain := domainOf(address)
		zone := strings.TrimPrefix(f.Subject, "_dmarc.")
		switch {
		case i == 5: // receivers need not take more than two
			return list
		case !ok || !strings.Contains(address, "@"):
			list = append(list, f.with(Warning, "reports cannot go to "+quoted(uri)).because("only mailto: addresses get them").advise("write rua=mailto:ADDRESS"))
		case aligned(domain, c.from, false):
		default:
			name := zone + "._report._dmarc." + domain
			records, err := c.Resolver.texts(ctx, name, "v=DMARC1")
			if err == nil && len(records) == 0 {
				list = append(list, f.with(Warning, "reports to "+shown(address)+" are not wanted there").
					because("receivers send none to another domain that does not ask for them").publish(name, "v=DMARC1"))
			}
		}
	}
	if len(list) == 0 {
		list = append(list, f.with(OK, "reports go to "+shown(rua)))
	}
	return list
}
