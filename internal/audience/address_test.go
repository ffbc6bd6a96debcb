package audience

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/rivo/uniseg"
)

func TestParseAddress(t *testing.T) {
	tests := []struct {
		in   string
		want Address
	}{
		{"ada@example.org", Address{Email: "ada@example.org", Key: "ada@example.org"}},
		{"  ada@example.org ", Address{Email: "ada@example.org", Key: "ada@example.org"}},
		{"Ada.Lovelace@Example.ORG", Address{Email: "Ada.Lovelace@example.org", Key: "ada.lovelace@example.org"}},
		{"Ada Lovelace <ada@example.org>", Address{"ada@example.org", "ada@example.org", "Ada Lovelace"}},
		{`"Lovelace, \"Ada\" A." <ada@example.org>`, Address{"ada@example.org", "ada@example.org", `Lovelace, "Ada" A.`}},
		{"a < b <ada@example.org>", Address{"ada@example.org", "ada@example.org", "a < b"}},
		{"<ada@example.org>", Address{Email: "ada@example.org", Key: "ada@example.org"}},
		{"Ålesund <post@ålesund.example>", Address{"post@xn--lesund-hua.example", "post@xn--lesund-hua.example", "Ålesund"}},
		{"post@BÜCHER.example", Address{Email: "post@xn--bcher-kva.example", Key: "post@xn--bcher-kva.example"}},
		{"post@xn--bcher-kva.example", Address{Email: "post@xn--bcher-kva.example", Key: "post@xn--bcher-kva.example"}},
		{"ann@例え。テスト", Address{Email: "ann@xn--r8jz45g.xn--zckzah", Key: "ann@xn--r8jz45g.xn--zckzah"}},
		{"a+tag_1!#$%&'*/=?^`{|}~-@x-1.example", Address{
			Email: "a+tag_1!#$%&'*/=?^`{|}~-@x-1.example", Key: "a+tag_1!#$%&'*/=?^`{|}~-@x-1.example",
		}},
		{"a@1.2.3.example", Address{Email: "a@1.2.3.example", Key: "a@1.2.3.example"}},
		{
			strings.Repeat("a", 64) + "@" + strings.Repeat("b", 63) + ".example",
			Address{
				Email: strings.Repeat("a", 64) + "@" + strings.Repeat("b", 63) + ".example",
				Key:   strings.Repeat("a", 64) + "@" + strings.Repeat("b", 63) + ".example",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := ParseAddress(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestParseAddressRefuses(t *testing.T) {
	tests := []struct{ in, reason string }{
		{"", "is empty"},
		{"   ", "is empty"},
		{"Ada <>", "is empty"},
		{"ada", "has no @"},
		{"ada@example.org>", "has a > without its <"},
		{"@example.org", "has nothing before the @"},
		{"ada@", "a dot too many, or none"},
		{"ada@localhost", "needs a domain with a dot"},
		{"ada@example.", "a dot too many"},
		{"ada@example.org.", "a dot too many"},
		{"ada@.example.org", "a dot too many"},
		{"ada@a..b", "a dot too many"},
		{"ada@bob@example.org", "has more than one @"},
		{"ada lovelace@example.org", "has a space"},
		{"ada\u00a0b@example.org", "has a space"},
		{".ada@example.org", "has a dot at the edge"},
		{"ada.@example.org", "has a dot at the edge"},
		{"a..da@example.org", "has a dot at the edge"},
		{`"ada b"@example.org`, "has a quoted part"},
		{"ada(comment)@example.org", `has '(' before the @`},
		{"ada,bob@example.org", `has ',' before the @`},
		{"jürgen@example.org", "SMTPUTF8"},
		{"ada\u200b@example.org", `has '\u200b' before the @`},
		{"ada@[127.0.0.1]", `has '[' in its domain`},
		{"ada@127.0.0.1", "an IP address is no domain"},
		{"ada@exa mple.org", `has ' ' in its domain`},
		{"ada@exa_mple.org", `has '_' in its domain`},
		{"ada@-a.example", "a hyphen at its edge"},
		{"ada@a-.example", "a hyphen at its edge"},
		{"ada@xn--\u00fc.example", "no international domain name"},
		{"ada@\u202eexample.org", "control character"},
		{"ada@example.org\n", "line break"},
		{"ada@example.org\r\nBcc: eve@example.org", "line break"},
		{"Ada\nLovelace <ada@example.org>", "line break"},
		{"a\x00da@example.org", "control character"},
		{"ada@ex\u2028ample.org", "line break"},
		{"ada\xff@example.org", "not valid UTF-8"},
		{strings.Repeat("a", 65) + "@example.org", "more than 64 octets"},
		{"ada@" + strings.Repeat("b", 64) + ".example", "longer than 63 octets"},
		{"ada@" + strings.Repeat("b.", 130) + "example", "longer than 254 octets"},
		{"ada@" + strings.Repeat("ü.", 130) + "example", "longer than 254 octets"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			_, err := ParseAddress(tt.in)
			bad, ok := errors.AsType[*AddressError](err)
			if !ok || !strings.Contains(bad.Reason, tt.reason) {
				t.Fatalf("got %v, want an AddressError with %q", err, tt.reason)
			}
			if strings.ContainsAny(err.Error(), "\r\n\x00") {
				t.Errorf("the message breaks its line: %q", err)
			}
		})
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{
		"Ada <ada@example.org>", "post@bücher.example", `"a" <a@b.c>`, "a@xn--x.y", "a@b\n.c", "\xff@a.b", "a@ß.example", "a@K.example",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		if len(a.Email) > maxAddress || !plainASCII(a.Email) || strings.ContainsAny(a.Email, " \r\n\x00<>") {
			t.Errorf("%q gave the unsafe address %q", s, a.Email)
		}
		again, err := ParseAddress(a.Email)
		if err != nil || again.Email != a.Email || again.Key != a.Key {
			t.Errorf("%q gave %q, which gave %q (%v)", s, a.Email, again.Email, err)
		}
		if a.Name != CleanName(a.Name) {
			t.Errorf("the name %q is not clean", a.Name)
		}
	})
}

func TestCleanName(t *testing.T) {
	family := "👨‍👩‍👧‍👦"
	tests := []struct{ name, in, want string }{
		{"plain", "Ada Lovelace", "Ada Lovelace"},
		{"empty", "", ""},
		{"only breaks", "\r\n\t", ""},
		{"header injection", "Ada\r\nBcc: eve@example.org", "Ada Bcc: eve@example.org"},
		{"control characters", "A\x00d\x1ba\u0085", "A d a"},
		{"spaces", "  Ada \u00a0  Lovelace\u2003 ", "Ada Lovelace"},
		{"line separators", "Ada\u2028Love\u2029lace", "Ada Love lace"},
		{"turned direction", "Ada\u202egro.elpmaxe", "Ada gro.elpmaxe"},
		{"other scripts", "دانا 山田太郎 Zoë", "دانا 山田太郎 Zoë"},
		{"joined emoji", family, family},
		{"not UTF-8", "Ad\xffa", "Ad\uFFFDa"},
		{"long", strings.Repeat("a", 300), strings.Repeat("a", 200)},
		{"long graphemes", strings.Repeat("ü", 300), strings.Repeat("ü", 200)},
		{"long in bytes", strings.Repeat(family, 100), strings.Repeat(family, 32)},
		{"one endless grapheme", "a" + strings.Repeat("\u0301", 1000), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := CleanName(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzCleanName(f *testing.F) {
	f.Add("Ada\r\nBcc: eve@example.org")
	f.Add(strings.Repeat("e\u0301", 250))
	f.Fuzz(func(t *testing.T, s string) {
		got := CleanName(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) {
			t.Errorf("%q is not safe", got)
		}
		if len(got) > maxNameBytes || uniseg.GraphemeClusterCount(got) > maxNameGraphemes {
			t.Errorf("%d bytes are too many", len(got))
		}
		if again := CleanName(got); again != got {
			t.Errorf("%q became %q the second time", got, again)
		}
	})
}

func TestMask(t *testing.T) {
	tests := []struct{ in, want string }{
		{"ada@example.org", "a…@e….org"},
		{"a@b.c", "a…@b….c"},
		{"ada@mail.example.co.uk", "a…@m….uk"},
		{"ada", "a…@…"},
		{"", "…@…"},
	}
	for _, tt := range tests {
		if got := Mask(tt.in); got != tt.want {
			t.Errorf("Mask(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}
