package web

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// maxHops bounds how many entries of a list of proxies are read: the last ones,
// which are those that trusted proxies wrote.
const maxHops = 32

// clientAddr is the address that a request comes from, the zero Addr where it
// is not known. It has no zone, and one of IPv4 is not mapped into IPv6, so that
// equal clients have equal addresses.
func (s *server) clientAddr(r *http.Request) netip.Addr {
	peer := peerAddr(r)
	if !within(s.TrustedProxies, peer) {
		if relayed(r) && (peer.IsLoopback() || peer.IsPrivate()) {
			s.strange.Do(func() {
				s.Log.Warn("a server passes requests on and is not named in web.trusted_proxies, so all its readers count as one", "server", peer)
			})
		}
		return peer
	}
	hops := hopsOf(r.Header)
	if len(hops) == 0 {
		return peer
	}
	addr := peer
	for _, hop := range slices.Backward(hops) {
		if addr = hopAddr(hop); !addr.IsValid() || !within(s.TrustedProxies, addr) {
			break
		}
	}
	return addr
}

// peerAddr is the other end of the connection.
func peerAddr(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return plainAddr(peer.Addr())
}

func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func within(networks []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
}

// hopsOf are whom the proxies on the way say they had before them, the nearest
// to us last: by X-Forwarded-For, or else by Forwarded. A proxy that writes one
// of them may pass on the other as a client made it up, so that the first counts
// alone: it is the one that most proxies write.
func hopsOf(h http.Header) []string {
	hops := listOf(h.Values("X-Forwarded-For"))
	if len(hops) > 0 {
		return hops
	}
	for _, element := range listOf(h.Values("Forwarded")) {
		hops = append(hops, forwardedFor(element))
	}
	return hops
}

// listOf are the last elements of a list that may stand in several lines (RFC
// 9110, section 5.3). A quoted comma cuts an element into two that are none.
func listOf(lines []string) []string {
	var list []string
	for _, line := range slices.Backward(lines) {
		for more := true; more && len(list) < maxHops; {
			var element string
			i := strings.LastIndexByte(line, ',')
			element, more = line[i+1:], i >= 0
			line = line[:max(i, 0)]
			if element = strings.Trim(element, " \t"); element != "" {
				list = append(list, element)
			}
		}
	}
	slices.Reverse(list)
	return list
}

// forwardedFor is the value of the parameter for of an element (RFC 7239, section
// 4), empty where there is none.
func forwardedFor(element string) string {
	for pair := range strings.SplitSeq(element, ";") {
		name, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
		if !strings.EqualFold(name, "for") {
			continue
		}
		if quoted, ok := strings.CutPrefix(value, `"`); ok {
			value = strings.TrimSuffix(quoted, `"`)
		}
		return value
	}
	return ""
}

// hopAddr reads an address as proxies write it: alone, in brackets, or with a
// port. What hides itself ("unknown", "_gate") has none.
func hopAddr(hop string) netip.Addr {
	if host, _, err := net.SplitHostPort(hop); err == nil {
		hop = host
	} else if strings.HasPrefix(hop, "[") {
		hop = strings.TrimSuffix(hop[1:], "]")
	}
	addr, err := netip.ParseAddr(hop)
	if err != nil {
		return netip.Addr{}
	}
	return plainAddr(addr)
}

// forwarding are the headers by which a proxy gives itself away.
var forwarding = []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-Ip", "Via"}

// relayed tells whether a request came through a proxy that says so, or by
// HTTP/1.0: nginx speaks that where nobody told it more, adds no header and asks
// for us by our own address.
func relayed(r *http.Request) bool {
	return !r.ProtoAtLeast(1, 1) || slices.ContainsFunc(forwarding, func(name string) bool { return r.Header[name] != nil })
}
