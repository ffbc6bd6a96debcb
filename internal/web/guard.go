package web

import (
	"io/fs"
	"net/http"
	"net/netip"
	"net/url"

	"threadmill/internal/newsletter"
)

// guarded answers those on this machine and in the networks, and nobody else:
// for them there is nothing.
func (s *server) guarded(networks []netip.Prefix, next http.Handler) http.Handler {
	nothing := s.handler(func(http.ResponseWriter, *http.Request) error { return fs.ErrNotExist })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.near(r, networks) {
			next.ServeHTTP(w, r)
			return
		}
		nothing.ServeHTTP(w, r)
	})
}

// near tells whether a request was made on this machine, under one of its own
// names, or in one of the networks. What comes through a proxy is from where a
// trusted one says, and never from this machine: a proxy beside us makes every
// reader a neighbour.
func (s *server) near(r *http.Request, networks []netip.Prefix) bool {
	peer := peerAddr(r)
	if relayed(r) {
		return within(s.TrustedProxies, peer) && within(networks, s.clientAddr(r))
	}
	return peer.IsLoopback() && loopbackHost(r.Host) || within(networks, peer)
}

// loopbackHost tells whether a request names this machine and no site that
// stands on it.
func loopbackHost(host string) bool {
	return newsletter.Loopback((&url.URL{Host: host}).Hostname())
}

// sameOrigin keeps pages of other sites from posting in the name of a reader,
// save to the addresses that mails and forms elsewhere lead to: those ask for a
// token, a signature or a confirmation, and for no cookie.
func (s *server) sameOrigin(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(s.handler(func(http.ResponseWriter, *http.Request) error { return errOrigin }))
	for _, base := range s.bases() {
		for _, path := range []string{"/subscribe", "/subscribe/", "/confirm/", "/unsubscribe/", "/preferences/", "/webhooks/"} {
			guard.AddInsecureBypassPattern(base + path)
		}
	}
	return guard.Handler(next)
}
