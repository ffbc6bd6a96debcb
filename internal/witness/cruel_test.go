package witness

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestCruelFeeds reads what only somebody who means harm would write.
func TestCruelFeeds(t *testing.T) {
	for name, text := range map[string]string{
		"deep":   `<feed xmlns="http://www.w3.org/2005/Atom" xmlns:x="y"><entry>` + strings.Repeat("<x:a>", 1_000_000),
		"laughs": `<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><feed xmlns="http://www.w3.org/2005/Atom"><title>&c;</title><entry><id>&c;</id><title>&c;</title></entry></feed>`,
		"file":   `<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><entry><id>i</id><title>&a;</title></entry></feed>`,
	} {
		p, err := readAtom([]byte(text))
		if name == "deep" && err == nil {
			t.Error("a million elements within each other were read")
		}
		for _, s := range p.shown {
			if len(s.Title) > 100 || strings.Contains(s.Title, "root:") {
				t.Errorf("%s became %q", name, s.Title)
			}
		}
	}
	if _, err := readJSON([]byte(`{"items":` + strings.Repeat("[", 5_000_000))); err == nil {
		t.Error("a JSON of brackets alone was read")
	}
	if m, err := ParseMark([]byte(`{"publication":"a","instance":"b","issue":9223372036854775807}`)); err == nil {
		t.Errorf("issues would go on after %d", m.Issue)
	}
}

// TestRedirects follows a site to where it moved, and to nobody's inner machines.
func TestRedirects(t *testing.T) {
	to := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to == "" {
			_, _ = w.Write([]byte(`{"publication":"a","instance":"b","issue":1}`))
			return
		}
		http.Redirect(w, r, to, http.StatusFound)
		if r.URL.Path == "/here" {
			to = ""
		}
	}))
	defer server.Close()
	for target, want := range map[string]string{
		"/here":                            "",
		"/round":                           "redirects",
		"file:///etc/passwd":               "not followed",
		"http://169.254.169.254/latest":    "not followed",
		"http://[::ffff:10.0.0.1]/":        "not followed",
		"http://metadata.google.internal/": "not followed",
		"http://localhost:1/":              "not followed",
	} {
		if to = target; target == "/here" {
			to = server.URL + "/here"
		}
		m, err := At(t.Context(), server.URL)
		if (want == "") != (err == nil && m.Issue == 1) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v %v", target, m, err)
		}
	}
}
