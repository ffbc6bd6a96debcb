package mailcheck

import (
	"strings"
	"testing"
	"time"

	"threadmill/internal/mailcheck/zonetest"
)

// Without DNS one line says so, whatever way it fails.
func TestOffline(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]string{
		"broken": zonetest.Broken(t),
		"silent": zonetest.Silent(t),
		"closed": "127.0.0.1:1",
	} {
		o := Options{Resolver: NewResolver(server), From: "news@example.org", Timeout: 100 * time.Millisecond}
		got := Run(t.Context(), o)
		if len(got) != 1 || got[0].Check != "dns" || got[0].Verdict != Error || !strings.Contains(got[0].String(), "no name server answers") {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestResolverAddress(t *testing.T) {
	t.Parallel()
	// A server without a port is asked at 53, in IPv6 too; nothing is asked here.
	for _, server := range []string{"", "127.0.0.1", "::1", "[::1]", "[::1]:5353"} {
		if NewResolver(server).Net() == nil {
			t.Error(server)
		}
	}
}
