package newsletter_test

import (
	"testing"

	"threadmill/internal/newsletter"
)

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.1.2.3": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.example.com": false, "192.0.2.1": false, "127.0.0.1.example.com": false, "0.0.0.0": false,
	} {
		if newsletter.Loopback(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
}
