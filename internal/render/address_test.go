package render

import (
	"net/url"
	"testing"
)

func TestScheme(t *testing.T) {
	for address, want := range map[string]string{
		"https://example.com":     "https",
		"HTTP://example.com/100%": "http",
		"mailto:me@example.org":   "mailto",
		"web+x.y-z:1":             "web+x.y-z",
		"a.png":                   "",
		"img/a:b.png":             "",
		":a":                      "",
		"1a:b":                    "",
		"#post:1":                 "",
		"java\nscript:x":          "",
		"":                        "",
	} {
		if got := scheme(address); got != want {
			t.Errorf("scheme(%q) = %q, want %q", address, got, want)
		}
	}
}

func TestTarget(t *testing.T) {
	base, err := url.Parse("https://example.org/news/threads/x/")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		address  string
		base     *url.URL
		want     string
		followed bool
	}{
		{"a.png", base, "https://example.org/news/threads/x/a.png", true},
		{"./img/ä b.png", base, "https://example.org/news/threads/x/img/%C3%A4%20b.png", true},
		{"../../../../../etc/passwd", base, "https://example.org/etc/passwd", true},
		{"?page=2", base, "https://example.org/news/threads/x/?page=2", true},
		{" https://example.com/a b ", base, "https://example.com/a%20b", true},
		{"tel:+441234", base, "tel:+441234", true},
		{"a.png", nil, "a.png", true},
		{"#post-2", nil, "#post-2", true},
		{"100%.png", base, "", false},
		{"", base, "", false},
		{"   ", nil, "", false},
		{"javascript:alert(1)", nil, "", false},
		{"data:text/html,x", base, "", false},
		{"vbscript:x", base, "", false},
		{"ftp://example.com", base, "", false},
	}
	for _, tt := range tests {
		got, ok := target(tt.address, tt.base)
		if got != tt.want || ok != tt.followed {
			t.Errorf("target(%q) = %q, %v; want %q, %v", tt.address, got, ok, tt.want, tt.followed)
		}
	}
}

func TestFetchable(t *testing.T) {
	for address, want := range map[string]bool{
		"a.png": true, "https://example.com/a.png": true, "HTTP://example.com/a.png": true,
		"mailto:me@example.org": false, "tel:1": false,
	} {
		if got := fetchable(address); got != want {
			t.Errorf("fetchable(%q) = %v", address, got)
		}
	}
}

func TestHost(t *testing.T) {
	for address, want := range map[string]string{
		"https://social.example:8443/@ada/1": "social.example", "http://a.example": "a.example",
		"javascript://a.example": "", "an old notebook": "", "https://%": "", "": "",
	} {
		if got := host(address); got != want {
			t.Errorf("host(%q) = %q, want %q", address, got, want)
		}
	}
}
