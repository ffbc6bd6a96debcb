package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/config"
)

func TestDKIM(t *testing.T) {
	want := config.DKIMKeys{
		{Domain: "example.com", Selector: "tm202611", Key: "keys/rsa key.pem"},
		{Domain: "xn--bcher-kva.example.com", Selector: "tm202611-ed25519", Key: "/etc/tm/ed.pem"},
	}
	for _, text := range []string{
		`{from: Jo <jo@news.example.com>, dkim: [{domain: Example.com, selector: TM202611, key: keys/rsa key.pem}, {domain: bücher.example.com, selector: tm202611-ed25519, key: /etc/tm/ed.pem}]}`,
		"\n  from: jo@example.com\n  dkim:\n    - domain: example.com\n      selector: tm202611\n      key: keys/rsa key.pem\n" +
			"    - {domain: xn--bcher-kva.example.com, selector: tm202611-ed25519, key: /etc/tm/ed.pem}\n",
	} {
		c := load(t, site+"mail: "+text+"\n")
		if diff := cmp.Diff(want, c.Mail.DKIM); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
		again := load(t, c.Redacted())
		if diff := cmp.Diff(want, again.Mail.DKIM); diff != "" {
			t.Errorf("read again (-want +got):\n%s", diff)
		}
		if at := c.Position("mail.dkim[1]"); !strings.Contains(at, "config.yaml:") {
			t.Errorf("the second key stands at %s", at)
		}
	}
}

func TestDKIMFaults(t *testing.T) {
	for text, want := range map[string]string{
		"dkim: tm1":    "mail.dkim: a list of keys is expected",
		"dkim: {a: b}": "mail.dkim: a list of keys is expected",
		"dkim: [tm1]":  "mail.dkim: a key with domain, selector and key is expected",
		"dkim: [{}]":   "mail.dkim: a key with domain, selector and key is expected",
		"dkim: [[a]]":  "mail.dkim: a key with domain, selector and key is expected",
		"dkim: [{domain: example.com, selctor: tm1, key: a}]":                                            "config.yaml:2:59: mail.dkim: unknown key; the keys here are domain, selector, key",
		"dkim: [{domain: example.com, key: a}]":                                                          "each key has domain, selector and key",
		"dkim: [{domain: example.com, selector: tm1, key: [a]}]":                                         "one value is expected here, not a list",
		"dkim: [{domain: example.com, selector: tm1, key: '${NOT_SET}'}]":                                "NOT_SET is not set",
		"dkim: [{domain: localhost, selector: tm1, key: a}]":                                             `domain "localhost" is no name of a domain`,
		"dkim: [{domain: 'a; d=b.example', selector: tm1, key: a}]":                                      "is no name of a domain",
		"dkim: [{domain: example.com, selector: 'a b', key: a}]":                                         `selector "a b" is no name`,
		"dkim: [{domain: example.com, selector: tm1, key: \"a\\nb\"}]":                                   "control character",
		"dkim: [{domain: example.org, selector: tm1, key: a}]":                                           "config.yaml:2:38: mail.dkim[0]: it signs for example.org, but mail comes from example.com",
		"dkim: [{domain: example.com, selector: tm1, key: public/a.pem}]":                                `mail.dkim[0]: lies in the output folder "public"`,
		"dkim: [{domain: example.com, selector: a, key: a}, {domain: Example.com, selector: A, key: b}]": "selector a of example.com is given twice",
		"dkim: [" + strings.Repeat("{domain: example.com, selector: a, key: a},", 5) + "]":               "5 keys; write 4 at most",
	} {
		_, err := config.Load(write(t, map[string]string{"config.yaml": site + "mail: {from: jo@example.com, " + text + "}\n"}), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nlacks %s", text, err, want)
		}
	}
}

// TestAlignment holds the domain of a key against that of the sender, as DMARC
// does by default.
func TestAlignment(t *testing.T) {
	for _, test := range []struct {
		from, domain string
		aligned      bool
	}{
		{"example.com", "example.com", true},
		{"news.example.com", "example.com", true},
		{"example.com", "mail.example.com", true},
		{"a.example.co.uk", "b.example.co.uk", true},
		{"a.co.uk", "b.co.uk", false},
		{"example.com", "example.org", false},
		{"jo.github.io", "al.github.io", false},
		{"EXAMPLE.com", "example.com", true},
	} {
		_, err := config.Load(write(t, map[string]string{
			"config.yaml": site + "mail: {from: jo@" + test.from + ", dkim: [{domain: " + test.domain + ", selector: a, key: a}]}\n",
		}), nil)
		if (err == nil) != test.aligned {
			t.Errorf("from %s, key of %s: %v", test.from, test.domain, err)
		}
	}
}
