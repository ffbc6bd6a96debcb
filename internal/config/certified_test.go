package config_test

import (
	"strings"
	"testing"
)

// TestCertified tries web.tls: auto for names that no authority certifies.
func TestCertified(t *testing.T) {
	if got := load(t, site+"web: {tls: auto}\n").Web.Listen; got != ":443" {
		t.Errorf("listen = %q", got)
	}
	if got := load(t, site+"web: {tls: auto, listen: 127.0.0.1:8443}\n").Web.Listen; got != "127.0.0.1:8443" {
		t.Errorf("listen = %q", got)
	}
	for _, test := range []struct{ text, want string }{
		{site + "web: {tls: auto, listen: off}\n", "web.tls: auto gets certificates for the web server of run, and web.listen is off"},
		{"publication: {url: http://example.com}\nweb: {tls: auto}\n", `publication.url: "http://example.com" is not https, and web.tls is auto; write https://`},
		{"publication: {url: https://example.com}\nweb: {tls: auto, url: http://letters.example.com}\n", `web.url: "http://letters.example.com" is not https`},
		{"publication: {url: https://192.0.2.1}\nweb: {tls: auto}\n", "has no name for which web.tls: auto could get a certificate"},
		{"publication: {url: https://localhost}\nweb: {tls: auto}\n", "has no name for which web.tls: auto"},
	} {
		if got := loadError(t, map[string]string{"config.yaml": test.text}); !strings.Contains(got, test.want) {
			t.Errorf("%s\n%s\nlacks %s", test.text, got, test.want)
		}
	}
}
