// Package zonetest serves a zone of DNS on loopback, for tests.
package zonetest

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// Serve answers from zone, the text of a zone file whose names are absolute or
// below origin, as a recursive name server would: it follows CNAME records. It
// ends with the test. The result is its address.
func Serve(t testing.TB, origin, zone string) string {
	t.Helper()
	records := make(map[string][]dns.RR)
	parser := dns.NewZoneParser(strings.NewReader("$TTL 60\n"+zone), dns.Fqdn(origin), "zone")
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		name := strings.ToLower(rr.Header().Name)
		records[name] = append(records[name], rr)
	}
	if err := parser.Err(); err != nil {
		t.Fatal(err)
	}
	return serve(t, func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg).SetReply(q)
		answer(a, records, strings.ToLower(q.Question[0].Name), 8)
		if _, tcp := w.RemoteAddr().(*net.TCPAddr); !tcp {
			size := uint16(dns.MinMsgSize)
			if o := q.IsEdns0(); o != nil {
				size = o.UDPSize()
			}
			a.Truncate(int(size))
		}
		_ = w.WriteMsg(a)
	})
}

// Broken answers every question with a failure of its own.
func Broken(t testing.TB) string {
	t.Helper()
	return serve(t, func(w dns.ResponseWriter, q *dns.Msg) {
		_ = w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeServerFailure))
	})
}

// Silent takes questions and answers none.
func Silent(t testing.TB) string {
	t.Helper()
	return serve(t, func(dns.ResponseWriter, *dns.Msg) {})
}

func answer(a *dns.Msg, records map[string][]dns.RR, name string, follow int) {
	question := a.Question[0].Qtype
	a.RecursionAvailable = true
	found, known := records[name]
	if !known {
		a.Rcode = dns.RcodeNameError
		return
	}
	for _, rr := range found {
		if rr.Header().Rrtype == question {
			a.Answer = append(a.Answer, rr)
		}
		if alias, ok := rr.(*dns.CNAME); ok && question != dns.TypeCNAME && follow > 0 {
			a.Answer = append(a.Answer, rr)
			answer(a, records, strings.ToLower(alias.Target), follow-1)
		}
	}
}

// serve listens by UDP and TCP at one port.
func serve(t testing.TB, h dns.HandlerFunc) string {
	t.Helper()
	var l net.Listener
	var p net.PacketConn
	var config net.ListenConfig
	for range 20 { // the port that TCP got may be taken for UDP
		var err error
		if l, err = config.Listen(context.Background(), "tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if p, err = config.ListenPacket(context.Background(), "udp", l.Addr().String()); err == nil {
			break
		}
		_ = l.Close()
	}
	if p == nil {
		t.Fatal("no port is free for UDP and TCP")
	}
	for _, s := range []*dns.Server{{Listener: l, Handler: h}, {PacketConn: p, Handler: h}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { _ = s.ActivateAndServe() }() // ends with Shutdown
		<-started
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return l.Addr().String()
}
