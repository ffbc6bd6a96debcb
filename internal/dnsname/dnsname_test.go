package dnsname

import "testing"

func TestASCII(t *testing.T) {
	for name, want := range map[string]string{
		"Example.COM.": "example.com", "bücher.example": "xn--bcher-kva.example", "XN--BCHER-KVA.example": "xn--bcher-kva.example",
	} {
		if got, err := ASCII(name); got != want || err != nil {
			t.Errorf("ASCII(%q) = %q, %v; want %q", name, got, err, want)
		}
	}
	if got, err := ASCII("a b"); err == nil {
		t.Errorf("a space gave %q", got)
	}
}

func TestAligned(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"news.example.com", "example.com", true},
		{"a.example.co.uk", "b.example.co.uk", true},
		{"one.co.uk", "two.co.uk", false},
		{"one.github.io", "two.github.io", false},
		{"localhost", "localhost", true},
		{"localhost", "example.com", false},
	} {
		if got := Aligned(tt.a, tt.b); got != tt.want {
			t.Errorf("Aligned(%q, %q) = %v", tt.a, tt.b, got)
		}
	}
}
