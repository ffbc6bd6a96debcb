package mailbox

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// browse serves m below /mail/ as its callers do.
func browse(t *testing.T, m *Mailbox) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/mail/", http.StripPrefix("/mail", m.Handler()))
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// golden compares got with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs; run the test with -update if that is meant\n%s", path, diff)
	}
}

const hostile = "From: Eve <eve@example.org>\r\n" +
	"To: \"<script>alert(1)</script>\" <ada@example.org>\r\n" +
	"Subject: <b>Bold</b> & \"quoted\"\r\n" +
	"X-Evil: </dd><script>alert(2)</script>\r\n" +
	"MIME-Version: 1.0\r\n" +
	"Content-Type: multipart/alternative; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n</pre><script>alert(3)</script>\r\nשלום 你好 👋\r\n" +
	"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" +
	"<!doctype html><html><HEAD lang=\"en\"><title>x</title></head><body><p>Hello</p><script>alert(4)</script></body></html>\r\n" +
	"--b--\r\n"

// fixed sends the mails the golden pages show, at times that do not change.
func fixed(t *testing.T, m *Mailbox) {
	t.Helper()
	send(t, m, "Subject: A shed moves\r\nTo: Grete <grete@example.org>\r\n\r\nThree neighbours and a rope.\r\n", "grete@example.org")
	send(t, m, hostile, "ada@example.org")
	send(t, m, "From: n@example.org\r\n\r\n", "nobody@example.org")
	at := time.Date(2026, 12, 7, 9, 0, 0, 0, time.Local)
	for _, f := range m.Files() {
		if err := os.Chtimes(f, at, at); err != nil {
			t.Fatal(err)
		}
	}
}

// inUTC makes the pages show the same times everywhere.
func inUTC(t *testing.T) {
	t.Helper()
	local := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = local })
}

func TestPages(t *testing.T) {
	inUTC(t)
	m := start(t)
	s := browse(t, m)
	_, empty := get(t, s.URL+"/mail/")
	golden(t, "empty.html", empty)

	fixed(t, m)
	for _, page := range []struct{ path, file string }{
		{"/mail/", "list.html"},
		{"/mail/1/", "text.html"},
		{"/mail/2/", "hostile.html"},
		{"/mail/3/", "bare.html"},
	} {
		res, body := get(t, s.URL+page.path)
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Security-Policy") != pagePolicy {
			t.Errorf("%s: %s, %v", page.path, res.Status, res.Header)
		}
		if strings.Contains(body, "<script") {
			t.Errorf("%s holds a script", page.path)
		}
		golden(t, page.file, body)
	}
}

func TestRawIsWhatWasSent(t *testing.T) {
	m := start(t)
	fixed(t, m)
	res, body := get(t, browse(t, m).URL+"/mail/2/raw")
	if diff := cmp.Diff(hostile, body); diff != "" {
		t.Error(diff)
	}
	want := map[string]string{
		"Content-Type":           "text/plain; charset=utf-8",
		"Content-Disposition":    "inline; filename=\"0002-ada@example.org.eml\"",
		"X-Content-Type-Options": "nosniff",
	}
	for k, v := range want {
		if got := res.Header.Get(k); got != v {
			t.Errorf("%s: %q, want %q", k, got, v)
		}
	}
}

func TestTheHTMLPartIsSandboxed(t *testing.T) {
	m := start(t)
	fixed(t, m)
	s := browse(t, m)
	res, body := get(t, s.URL+"/mail/2/html")
	policy := res.Header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "sandbox ") || strings.Contains(policy, "allow-scripts") || strings.Contains(policy, "allow-same-origin") {
		t.Errorf("policy: %s", policy)
	}
	if !strings.Contains(body, `<HEAD lang="en"><base target="_blank"><title>`) {
		t.Errorf("links would open in the frame: %s", body)
	}
	if res, _ := get(t, s.URL+"/mail/1/html"); res.StatusCode != http.StatusNotFound {
		t.Errorf("a mail without HTML: %s", res.Status)
	}
}

func TestAddressesThatAreNotThere(t *testing.T) {
	m := start(t)
	fixed(t, m)
	s := browse(t, m)
	for _, path := range []string{"0/", "4/", "-1/", "x/", "99999999999999999999/raw", "1/other", "..%2f1/raw"} {
		if res, _ := get(t, s.URL+"/mail/"+path); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
	if res, _ := get(t, s.URL+"/mail/2"); res.StatusCode != http.StatusOK || res.Request.URL.Path != "/mail/2/" {
		t.Errorf("without its slash: %s at %s", res.Status, res.Request.URL)
	}
	res, err := http.Post(s.URL+"/mail/1/", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", res.Status)
	}
}

func TestAMailThatWasDeletedIsLeftOut(t *testing.T) {
	m := start(t)
	fixed(t, m)
	if err := os.Remove(m.Files()[0]); err != nil {
		t.Fatal(err)
	}
	s := browse(t, m)
	if _, body := get(t, s.URL+"/mail/"); strings.Contains(body, "A shed moves") || !strings.Contains(body, "2/") {
		t.Errorf("list: %s", body)
	}
	if res, _ := get(t, s.URL+"/mail/1/"); res.StatusCode != http.StatusNotFound {
		t.Errorf("page: %s", res.Status)
	}
}

func TestTheListIsBounded(t *testing.T) {
	dir := t.TempDir()
	for n := range listed + 1 {
		if err := os.WriteFile(filepath.Join(dir, fileName(n+1, "a@example.org")), []byte("Subject: old\r\n\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, body := get(t, browse(t, startIn(t, dir)).URL+"/mail/")
	if n := strings.Count(body, "<li>"); n != listed {
		t.Errorf("%d rows, want %d", n, listed)
	}
	if !strings.Contains(body, "201 mails, the newest 200 are shown") || !strings.Contains(body, `href="201/"`) || strings.Contains(body, `href="1/"`) {
		t.Error("not the newest")
	}
}

func TestAMailThatIsNoMailIsShownToo(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "0001-a@example.org.eml"), []byte("no header\x00\xff\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := browse(t, startIn(t, dir))
	if _, body := get(t, s.URL+"/mail/"); !strings.Contains(body, "a@example.org") {
		t.Errorf("list: %s", body)
	}
	if res, body := get(t, s.URL+"/mail/1/"); res.StatusCode != http.StatusOK || !strings.Contains(body, "Not a whole mail") {
		t.Errorf("page: %s %s", res.Status, body)
	}
}
