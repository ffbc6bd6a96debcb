package mailcheck

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"threadmill/internal/dnsname"
)

// mx asks whether replies and bounces can arrive (RFC 5321, section 5.1).
func (c *checker) mx(ctx context.Context) []Finding {
	domains := []string{c.from, c.envelope}
	if c.ReplyTo != "" {
		domains = append(domains, domainOf(c.ReplyTo))
	}
	var list []Finding
	for i, d := range domains {
		if !slices.Contains(domains[:i], d) {
			list = append(list, c.mxOf(ctx, d))
		}
	}
	return list
}

func (c *checker) mxOf(ctx context.Context, domain string) Finding {
	f := Finding{Check: "mx", Subject: domain}
	records, err := c.Resolver.LookupMX(ctx, domain)
	switch {
	case err != nil && !absent(err) && len(records) == 0:
		return f.unanswered(err)[0]
	case len(records) == 0:
		return c.noMX(ctx, f)
	case slices.ContainsFunc(records, func(r *net.MX) bool { return r.Host == "." }):
		return f.with(Error, "the domain takes no mail (null MX, RFC 7505)").
			because("replies and bounces get lost, and receivers refuse mail from such a domain").
			advise("put the servers that take its mail into MX records, or send from another domain")
	}
	var good, bad []string
	for _, r := range records {
		host := strings.TrimSuffix(r.Host, ".")
		addrs, err := c.Resolver.addresses(ctx, host)
		if err != nil {
			return f.unanswered(err)[0]
		}
		if len(addrs) == 0 {
			bad = append(bad, shown(host))
		} else {
			good = append(good, shown(host))
		}
	}
	switch {
	case len(good) == 0:
		return f.with(Error, strings.Join(bad, " and ")+" should take its mail, but has no address").
			because("replies and bounces get lost").advise("mend the MX record, which names a host and not an address, or give the host an address")
	case len(bad) > 0:
		return f.with(Warning, fmt.Sprintf("%s takes its mail; %s has no address", strings.Join(good, " and "), strings.Join(bad, " and "))).
			because("mail may be late").advise("take out the MX records of hosts that are gone")
	}
	return f.with(OK, strings.Join(good, " and ")+" takes its mail")
}

// noMX tells a host that takes its own mail from a domain that is not there.
func (c *checker) noMX(ctx context.Context, f Finding) Finding {
	addrs, err := c.Resolver.addresses(ctx, f.Subject)
	record := &Record{f.Subject, "MX", "10 mail." + f.Subject + "."}
	switch {
	case err != nil:
		return f.unanswered(err)[0]
	case len(addrs) > 0:
		f = f.with(Warning, fmt.Sprintf("there is no MX record; mail goes to the host itself, %s", addrs[0])).
			because("replies and bounces get lost if no mail server listens there")
	default:
		f = f.with(Error, "there is neither an MX record nor an address").
			because("replies and bounces get lost, and receivers refuse mail from a domain that does not exist").
			advise("name the host that takes its mail")
	}
	f.Record = record
	return f
}

// ptr asks whether the addresses that send have names, and the names these
// addresses.
func (c *checker) ptr(ctx context.Context) []Finding {
	if c.Relay == nil {
		return nil
	}
	f := Finding{Check: "ptr", Subject: shown(c.Relay.Host)}
	if c.provider != nil {
		return []Finding{f.with(OK, "the reverse names of its servers are the care of "+c.provider.name)}
	}
	senders := c.senders(ctx)
	if !c.selfHosted() {
		return []Finding{f.with(OK, "the reverse names of its servers are the care of "+dnsname.Organisation(ascii(c.Relay.Host)))}
	}
	if len(senders) == 0 {
		return []Finding{f.with(Warning, "the relay has no address to look at")}
	}
	var list []Finding
	for _, ip := range senders {
		list = append(list, c.ptrOf(ctx, ip))
	}
	return list
}

// selfHosted tells whether the relay is run by whoever runs the publication,
// as far as its name and addresses show.
func (c *checker) selfHosted() bool {
	host := ascii(c.Relay.Host)
	if net.ParseIP(host) != nil || dnsname.Organisation(host) == dnsname.Organisation(c.from) || dnsname.Organisation(host) == dnsname.Organisation(c.envelope) {
		return true
	}
	return slices.ContainsFunc(c.relay().addrs, func(ip netip.Addr) bool { return !public(ip) })
}

const whyPTR = "Gmail and others refuse mail from an address without a name that leads back to it"

func (c *checker) ptrOf(ctx context.Context, ip netip.Addr) Finding {
	f := Finding{Check: "ptr", Subject: ip.String()}
	names, err := c.Resolver.LookupAddr(ctx, ip.String())
	if err != nil && !absent(err) && len(names) == 0 {
		return f.unanswered(err)[0]
	}
	for i, name := range names {
		if i == 10 { // as SPF does (RFC 7208, section 4.6.4)
			break
		}
		name = strings.TrimSuffix(name, ".")
		if name == "localhost" {
			return f.with(Warning, "the relay is known here by an inner address only, whose name the world does not see").
				because(whyPTR).advise("have the relay greet with its public name (Postfix: myhostname)")
		}
		if addrs, err := c.Resolver.addresses(ctx, name); err == nil && slices.Contains(addrs, ip) {
			return f.with(OK, "its name "+shown(name)+" leads back to it")
		}
	}
	host := "mail." + c.from
	if len(names) > 0 {
		host = strings.TrimSuffix(names[0], ".")
		f = f.with(Error, "its name "+shown(host)+" does not lead back to it").because(whyPTR)
		f.Record = &Record{shown(host), addressType(ip), ip.String()}
		return f
	}
	if r := c.relay(); r.greeting != "" {
		host = r.greeting
	}
	return f.with(Error, "it has no name (PTR)").because(whyPTR).
		advise(fmt.Sprintf("have the owner of the address, mostly the hosting company, name it %s", shown(host)))
}

func addressType(ip netip.Addr) string {
	if ip.Is6() {
		return "AAAA"
	}
	return "A"
}
