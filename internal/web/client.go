package web

import (
	"net/http"
	"net/netip"
)

// clientAddr is the address that a request comes from, the zero Addr where it
// is not known. It has no zone, and one of IPv4 is not mapped into IPv6, so that
// equal clients have equal addresses.
func (s *server) clientAddr(r *http.Request) netip.Addr {
	return peerAddr(r)
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
