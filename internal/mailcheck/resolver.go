package mailcheck

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"

	"threadmill/internal/dnsname"
)

// Resolver asks DNS. Names are taken as they are, without the search list of
// the system. It fits what go/spf wants of a resolver.
type Resolver struct{ net *net.Resolver }

// NewResolver returns a resolver that asks the server at host:port or host, or
// those of the system if server is empty.
func NewResolver(server string) *Resolver {
	if server == "" {
		return &Resolver{net.DefaultResolver}
	}
	if _, _, err := net.SplitHostPort(server); err != nil {
		server = net.JoinHostPort(strings.Trim(server, "[]"), "53")
	}
	var d net.Dialer
	return &Resolver{&net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return d.DialContext(ctx, network, server)
		},
	}}
}

// Net is the resolver for dialling.
func (r *Resolver) Net() *net.Resolver { return r.net }

func rooted(name string) string {
	if net.ParseIP(name) != nil {
		return name
	}
	return strings.TrimSuffix(name, ".") + "."
}

// LookupTXT returns the TXT records of name, the strings of each joined.
func (r *Resolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	return r.net.LookupTXT(ctx, rooted(name))
}

// LookupMX returns the MX records of name by preference.
func (r *Resolver) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	return r.net.LookupMX(ctx, rooted(name))
}

// LookupIPAddr returns the addresses of host.
func (r *Resolver) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	return r.net.LookupIPAddr(ctx, rooted(host))
}

// LookupAddr returns the names of an address.
func (r *Resolver) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	return r.net.LookupAddr(ctx, addr)
}

// addresses are those of host, none if there are none.
func (r *Resolver) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	found, err := r.LookupIPAddr(ctx, host)
	if absent(err) {
		return nil, nil
	}
	var list []netip.Addr
	for _, a := range found {
		if ip, ok := netip.AddrFromSlice(a.IP); ok {
			list = append(list, ip.Unmap())
		}
	}
	return list, err
}

// texts are the TXT records of name that begin with prefix, none if there are
// none.
func (r *Resolver) texts(ctx context.Context, name, prefix string) ([]string, error) {
	all, err := r.LookupTXT(ctx, name)
	if absent(err) {
		return nil, nil
	}
	var list []string
	for _, t := range all {
		if len(t) >= len(prefix) && strings.EqualFold(t[:len(prefix)], prefix) {
			list = append(list, t)
		}
	}
	return list, err
}

// absent tells whether DNS answered that there is nothing.
func absent(err error) bool {
	e, ok := errors.AsType[*net.DNSError](err)
	return ok && e.IsNotFound
}

// ascii is a domain as it stands in DNS (RFC 5891).
func ascii(domain string) string {
	if a, err := dnsname.ASCII(domain); err == nil {
		return a
	}
	return strings.TrimSuffix(strings.ToLower(domain), ".")
}

// domainOf is the domain of an address, or the domain itself.
func domainOf(address string) string {
	return ascii(address[strings.LastIndex(address, "@")+1:])
}

// aligned tells whether two domains count as one sender (RFC 7489, section
// 3.1).
func aligned(a, b string, strict bool) bool {
	return a == b || !strict && dnsname.Aligned(a, b)
}
