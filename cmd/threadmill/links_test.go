package main

import (
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
)

// dump is every row of a publication's database.
func (p place) dump() string {
	p.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(p.dir, "threadmill.db"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close()
	var tables []string
	for _, row := range p.rows(db, `SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`) {
		tables = append(tables, row[0].(string))
	}
	var all strings.Builder
	for _, table := range tables {
		for _, row := range p.rows(db, `SELECT * FROM "`+table+`"`) {
			fmt.Fprintln(&all, table, row)
		}
	}
	if !strings.Contains(all.String(), "subscriber_events [") || !strings.Contains(all.String(), "deliveries [") {
		p.t.Fatalf("this is no database of ours:\n%s", all.String())
	}
	return all.String()
}

func (p place) rows(db *sql.DB, query string) (list [][]any) {
	p.t.Helper()
	rows, err := db.QueryContext(p.t.Context(), query)
	if err != nil {
		p.t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	for err == nil && rows.Next() {
		row, places := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			places[i] = &row[i]
		}
		err = rows.Scan(places...)
		list = append(list, row)
	}
	if err != nil || rows.Err() != nil {
		p.t.Fatal(err, rows.Err())
	}
	return list
}

// visitor asks the publication's own handler, which is the one of run, without
// a network.
type visitor struct {
	t *testing.T
	h http.Handler
}

// visit opens the publication in this process.
func (p place) visit() (*visitor, *publication) {
	p.t.Helper()
	a := &app{world: world{strings.NewReader(""), io.Discard, io.Discard, func(string) (string, bool) { return "", false }}, config: filepath.Join(p.dir, "config.yaml")}
	pub, err := a.open(p.t.Context(), slog.LevelError, false)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = pub.close() })
	h, err := pub.web(p.t.Context(), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return &visitor{p.t, h}, pub
}

// do asks for an address, with headers in pairs.
func (v *visitor) do(method, address, body string, headers ...string) *httptest.ResponseRecorder {
	v.t.Helper()
	r := httptest.NewRequestWithContext(v.t.Context(), method, address, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	v.h.ServeHTTP(w, r)
	return w
}

// form sends a form, fields in pairs, and must be answered with 200.
func (v *visitor) form(address string, fields ...string) {
	v.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	if w := v.do(http.MethodPost, address, values.Encode(), "Content-Type", "application/x-www-form-urlencoded"); w.Code != http.StatusOK {
		v.t.Fatalf("%s: %d\n%s", address, w.Code, w.Body)
	}
}

// mailsOfEveryKind has a publication send each mail that it can, and returns
// them.
func (p place) mailsOfEveryKind(r *relay, v *visitor, pub *publication) []copyOf {
	const site, known, ada, eve, other = "https://news.example.com", "reader0000@example.org", "ada@example.org", "eve@example.org", "other@example.net"
	p.t.Helper()
	mails := newPostman(r)
	for _, email := range []string{ada, eve, known} {
		v.form(site+"/subscribe", "email", email)
	}
	p.publish()
	issue := mails.next(p.t, known)
	for !strings.Contains(issue.subject, "Part") { // the letter that they are known may come first
		issue = mails.next(p.t, known)
	}
	v.form(mails.next(p.t, ada).link(p.t, "/confirm/"))
	v.form(issue.link(p.t, "/preferences/"), "do", "save", "email", other)
	sub, err := pub.store.SubscriberByKey(p.t.Context(), eve)
	if err == nil {
		_, err = pub.store.AddLetter(p.t.Context(), newsletter.Letter{Subscriber: sub.ID, Kind: newsletter.LetterRemind, Email: eve, CreatedAt: time.Now(), NextAt: time.Now()})
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.run("publish")
	v.form(mails.next(p.t, other).link(p.t, "/preferences/"), "do", "move")
	p.run("publish")
	return r.accepted()
}

// Scanners of mail open every link: none in any mail that we send changes a
// byte in the database, however it is opened. Nor does it use up what strangers
// may ask for.
func TestLinksChangeNothing(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	p := newPlace(t, r, 1, 1, "audience: {welcome: latest, limits: {per_client: 0, per_network: 0, per_hour: 4}}")
	p.run("build")
	v, pub := p.visit()
	mails := p.mailsOfEveryKind(r, v, pub)
	var kinds []string
	for _, m := range mails {
		kinds = append(kinds, m.to+": "+m.subject)
	}
	slices.Sort(kinds)
	want := []string{
		"ada@example.org: Part 0", "ada@example.org: Please confirm: Test",
		"eve@example.org: Do you still want Test?", "eve@example.org: Please confirm: Test",
		"other@example.net: Use this address for Test?",
		"reader0000@example.org: Part 0", "reader0000@example.org: Test goes to another address", "reader0000@example.org: You already get Test",
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Fatal(diff)
	}
	before, asked := p.dump(), map[string]bool{}
	for _, m := range mails {
		for _, link := range m.links(t) {
			link, _, _ = strings.Cut(link, "#") // as all do who ask
			u, err := url.Parse(link)
			if err != nil {
				t.Fatal(err)
			}
			if u.Host != "news.example.com" || asked[link] {
				continue
			}
			asked[link] = true
			for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodGet, http.MethodHead} {
				w := v.do(method, link, "", "User-Agent", "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Trident/5.0) SafeLinks")
				if w.Code != http.StatusOK && w.Code/100 != 3 {
					t.Errorf("%s %s: %d", method, link, w.Code)
				}
			}
		}
	}
	if diff := cmp.Diff(before, p.dump()); diff != "" {
		t.Error(diff)
	}
	for _, page := range []string{"/confirm/", "/preferences/", "/unsubscribe/", "/threads/", "/subscribe"} {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(asked)), func(link string) bool { return strings.Contains(link, page) }) {
			t.Errorf("no mail leads to %s; they lead to %v", page, asked)
		}
	}
	v.form("https://news.example.com/subscribe", "email", "last@example.org") // the fourth in this hour
	p.leaveByHeader(v, pub, mails)
}

// leaveByHeader has a mail program take the addresses of List-Unsubscribe at
// their word (RFC 8058, section 3.2): each reader's mail ends that reader's
// subscription and nobody else's.
func (p place) leaveByHeader(v *visitor, pub *publication, mails []copyOf) {
	t := p.t
	left := 0
	for _, m := range mails {
		if !strings.Contains(m.subject, "Part") {
			if field(m.raw, "List-Unsubscribe-Post") != "" {
				t.Errorf("%q, which is no issue, offers to unsubscribe", m.subject)
			}
			continue
		}
		link := m.link(t, "/unsubscribe/")
		if header := field(strings.ReplaceAll(m.raw, "\r\n ", " "), "List-Unsubscribe"); !strings.Contains(header, "<"+link+">") || field(m.raw, "List-Unsubscribe-Post") != oneClickBody {
			t.Errorf("the header is %q", header)
		}
		before := active(t, pub)
		if w := v.do(http.MethodPost, link, oneClickBody, "Content-Type", "application/x-www-form-urlencoded"); w.Code != http.StatusOK {
			t.Errorf("%s: %d", link, w.Code)
		}
		left++
		if after := active(t, pub); after != before-1 {
			t.Errorf("of %d readers %d are left", before, after)
		}
	}
	if left != 2 {
		t.Errorf("%d issues can be left", left)
	}
}

// oneClickBody is the whole body of the request.
const oneClickBody = "List-Unsubscribe=One-Click"

// active is how many readers there are.
func active(t *testing.T, pub *publication) (n int) {
	t.Helper()
	for sub, err := range pub.store.Subscribers(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if sub.Status == newsletter.SubscriberActive {
			n++
		}
	}
	return n
}
