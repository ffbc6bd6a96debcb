package web_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/audience"
	"threadmill/internal/newsletter"
	"threadmill/internal/web"
)

// tagged offers two topics.
func tagged(o *web.Options) {
	o.Tags = func(context.Context) ([]string, error) { return []string{"Tools", "C++", "<b>"}, nil }
}

// dump is every row of every table that holds something of a person.
func (p *publication) dump(tb testing.TB) string {
	tb.Helper()
	db, err := sql.Open("sqlite", p.db.Path())
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	var all strings.Builder
	for _, table := range []string{"subscribers", "subscriber_events", "letters", "reports", "suppressions", "deliveries", "settings"} {
		if err := dump(tb.Context(), db, table, &all); err != nil {
			tb.Fatal(err)
		}
	}
	return all.String()
}

// dump writes all rows of a table.
func dump(ctx context.Context, db *sql.DB, table string, to io.Writer) error {
	rows, err := db.QueryContext(ctx, `SELECT * FROM `+table)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	for err == nil && rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = &values[i]
		}
		err = rows.Scan(values...)
		fmt.Fprintln(to, table, values)
	}
	return errors.Join(err, rows.Err())
}

// post sends a form as a browser does; fields are pairs.
func (p *publication) post(tb testing.TB, path string, fields ...string) answer {
	tb.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Add(fields[i], fields[i+1])
	}
	return p.ask(tb, http.MethodPost, path, values.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

func (p *publication) want(tb testing.TB, res answer, parts ...string) {
	tb.Helper()
	if res.StatusCode != http.StatusOK {
		tb.Errorf("%s\n%s", res.Status, res.body)
	}
	for _, part := range parts {
		if !strings.Contains(res.body, part) {
			tb.Errorf("the page lacks %q:\n%s", part, res.body[strings.Index(res.body, "<main"):])
		}
	}
}

func (p *publication) kinds(tb testing.TB, id int64) string {
	tb.Helper()
	events, err := p.db.Events(tb.Context(), id)
	if err != nil {
		tb.Fatal(err)
	}
	var kinds []string
	for _, e := range events {
		if e.Kind == newsletter.EventAdded { // by the test
			continue
		}
		kinds = append(kinds, strings.TrimSpace(string(e.Kind)+" "+e.Text))
	}
	return strings.Join(kinds, "; ")
}

// Looking at any of the pages, twice, changes nothing, whatever the query says.
func TestLookingAtPreferencesChangesNothing(t *testing.T) {
	p := openList(t, tagged)
	sub := p.subscriber(t)
	token := tokens.Sign(sub.ID, 1)
	p.post(t, "/preferences/"+token, "do", "save", "email", "new@example.org")
	letter := tokens.SignFor(audience.PurposeMove, sub.ID, 1)
	before := p.dump(t)
	for range 2 {
		for _, path := range []string{"/unsubscribe/" + token, "/preferences/" + token, "/preferences/" + letter, "/preferences/" + tokens.SignFor(audience.PurposePreferences, sub.ID, 0)} {
			for _, query := range []string{"", "?erase", "?do=erase", "?do=save&name=Eve", "?do=move", "?do=pause", "?do=return"} {
				p.want(t, p.get(t, path+query))
				p.ask(t, http.MethodHead, path+query, "")
			}
			if strings.HasPrefix(path, "/preferences/") { // a form that asks for nothing
				p.want(t, p.post(t, path), "<h1>")
				p.want(t, p.post(t, path+"?do=erase", "do", "dance"), "<h1>")
			}
		}
	}
	if diff := cmp.Diff(before, p.dump(t)); diff != "" {
		t.Error(diff)
	}
}

// After a goodbye one may undo it, pause instead, say why, and come back years
// later by the same link.
func TestGoodbye(t *testing.T) {
	p := openList(t, tagged, at("https://example.org/news"))
	sub := p.subscriber(t)
	token := tokens.Sign(sub.ID, 7)
	leave, choose := "/news/unsubscribe/"+token, "/news/preferences/"+token
	p.want(t, p.get(t, leave), `value="pause"`, `action="`+choose+`"`)
	for range 2 {
		p.want(t, p.ask(t, http.MethodPost, leave, oneClick), "You are unsubscribed", "a…@e….org", ">Undo<", "feed.xml", `action="`+choose+`"`, `value="tell"`)
	}
	for range 2 {
		p.want(t, p.post(t, choose, "do", "tell", "reason", "It comes too often", "words", "Really\r\n<b>"), "You are unsubscribed", "it is noted")
	}
	for range 2 {
		p.want(t, p.post(t, choose, "do", "return"), "You are subscribed again")
	}
	p.ask(t, http.MethodPost, leave, oneClick)
	p.want(t, p.get(t, leave), "Subscribe again")
	p.want(t, p.post(t, choose, "do", "pause"), "No issue comes to", time.Now().Add(28*24*time.Hour).UTC().Format("2 January 2006"))
	p.want(t, p.post(t, choose, "do", "resume"), "Saved")
	if got := p.status(t, sub.ID); got != newsletter.SubscriberActive {
		t.Errorf("the status is %s", got)
	}
	want := "unsubscribed; unsubscribed It comes too often: Really <b>; unsubscribed It comes too often: Really <b>; resubscribed; unsubscribed; " +
		"paused until " + time.Now().Add(28*24*time.Hour).UTC().Format(time.DateOnly) + "; resubscribed; paused lifted"
	if diff := cmp.Diff(want, p.kinds(t, sub.ID)); diff != "" {
		t.Error(diff)
	}
	h, err := p.db.History(t.Context(), sub.ID)
	if err != nil || h.Events[1].Issue != 7 || h.StatusReason != "came back" {
		t.Errorf("history %+v, %v", h, err)
	}
	for range 10 {
		p.post(t, choose, "do", "tell", "words", strings.Repeat("x", 5000))
	}
	if n := strings.Count(p.kinds(t, sub.ID), "xxx"); n == 0 && len(p.kinds(t, sub.ID)) > 4000 {
		t.Error("reasons are not bounded")
	}
}

// Who left sees it among their preferences, and who comes back during a pause
// that it still holds: nothing says that mail comes when none does.
func TestReturnDuringPause(t *testing.T) {
	p := openList(t, tagged)
	sub := p.subscriber(t)
	token := tokens.Sign(sub.ID, 7)
	leave, choose := "/unsubscribe/"+token, "/preferences/"+token
	p.post(t, choose, "do", "save", "name", "Ada", "pause", "open")
	p.ask(t, http.MethodPost, leave, oneClick)
	page := p.get(t, choose)
	p.want(t, page, "You are unsubscribed", "Subscribe again", `value="return"`)
	if strings.Contains(page.body, leave) {
		t.Errorf("who left is offered to leave\n%s", page.body)
	}
	p.want(t, p.post(t, choose, "do", "return"), "You are subscribed again", `value="open" checked`, leave)
	p.ask(t, http.MethodPost, leave, oneClick)
	p.want(t, p.post(t, choose, "do", "save", "name", "Ada", "pause", "none"), "You are unsubscribed", "Saved")
	if back := p.post(t, choose, "do", "return"); !strings.Contains(back.body, "from the next issue on") {
		t.Error(back.body)
	}
}

// Who bounced, complained or was removed does not come back by the link.
func TestGoodbyeForGood(t *testing.T) {
	p := openList(t)
	sub := p.subscriber(t)
	choose := "/preferences/" + tokens.Sign(sub.ID, 1)
	for _, status := range []newsletter.SubscriberStatus{newsletter.SubscriberBounced, newsletter.SubscriberComplained, newsletter.SubscriberSuppressed} {
		if err := p.db.SetSubscriberStatus(t.Context(), sub.ID, status, "test"); err != nil {
			t.Fatal(err)
		}
		for _, do := range []string{"return", "pause"} {
			if res := p.post(t, choose, "do", do); strings.Contains(res.body, `value="return"`) || p.status(t, sub.ID) != status {
				t.Errorf("%s: %s makes them %s\n%s", status, do, p.status(t, sub.ID), res.body)
			}
		}
	}
}

func TestPreferences(t *testing.T) {
	p := openList(t, tagged)
	sub := p.subscriber(t)
	path := "/preferences/" + tokens.Sign(sub.ID, 1)
	res := p.get(t, path)
	p.want(t, res, `name="name" value="Ada"`, "a…@e….org", "&lt;b&gt;", `value="each" checked`, `value="none" checked`)
	if strings.Contains(res.body, "ada@") || res.Header.Get("Referrer-Policy") != "no-referrer" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v\n%s", res.Header, res.body)
	}
	p.want(t, p.post(t, path, "do", "save", "name", "Ada\r\nLovelace", "often", "monthly", "topic", "tags/c-plus-plus/", "topic", "tags/nothing/", "pause", "weeks", "weeks", "900"),
		"Saved", `value="Ada Lovelace"`, `value="monthly" checked`, `value="tags/c-plus-plus/" checked`, `value="keep" checked`)
	have, err := p.db.Preferences(t.Context(), sub.ID)
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(have.PausedUntil); left > 52*7*24*time.Hour || left < 51*7*24*time.Hour {
		t.Errorf("paused for %v", left)
	}
	p.want(t, p.post(t, path, "do", "save", "name", "Ada", "often", "monthly", "topic", "tags/c-plus-plus/", "pause", "keep"), `value="keep" checked`)
	p.want(t, p.post(t, path, "do", "save", "name", "Ada", "often", "never", "pause", "open"), `value="open" checked`, `value="each" checked`)
	have.Name, have.Frequency, have.Wants, have.PausedUntil = "Ada", newsletter.FrequencyEach, []string{}, newsletter.UntilLifted
	after, err := p.db.Preferences(t.Context(), sub.ID)
	if diff := cmp.Diff(have, after); diff != "" || err != nil {
		t.Error(diff, err)
	}
	p.want(t, p.post(t, path, "do", "save", "name", "Ada", "pause", "none"), `value="none" checked`)
	for range 2 { // nothing changes, so nothing is noted
		p.post(t, path, "do", "save", "name", "Ada", "pause", "none")
	}
	if n := strings.Count(p.kinds(t, sub.ID), ";") + 1; n != 4 {
		t.Errorf("%d events: %s", n, p.kinds(t, sub.ID))
	}
}

// Another address is used once its owner says so, and whoever asks does not
// learn whether it is on the list.
func TestMove(t *testing.T) {
	p := openList(t)
	sub := p.subscriber(t)
	if _, _, err := audience.New(p.db, tokens).Add(t.Context(), "eve@example.org", "", nil); err != nil {
		t.Fatal(err)
	}
	path := "/preferences/" + tokens.Sign(sub.ID, 1)
	p.want(t, p.post(t, path, "do", "save", "name", "Ada", "email", "no address"), "No mail can be sent to", "no address")
	var same []string
	for _, address := range []string{"eve@example.org", "new@example.org"} {
		res := p.post(t, path, "do", "save", "name", "Ada", "email", address)
		p.want(t, res, address)
		same = append(same, strings.ReplaceAll(res.body, address, "ADDRESS"))
	}
	if diff := cmp.Diff(same[0], same[1]); diff != "" {
		t.Error("the answers differ:", diff)
	}
	h, err := p.db.History(t.Context(), sub.ID)
	if err != nil || len(h.Letters) != 2 || h.Email != "ada@example.org" || h.Letters[1].Email != "new@example.org" {
		t.Fatalf("%+v, %v", h, err)
	}
	link := "/preferences/" + tokens.SignFor(audience.PurposeMove, sub.ID, 2) // letter 3 tells the former address
	p.want(t, p.get(t, link), "Use this address?", "new@example.org", `value="move"`)
	for range 2 {
		p.want(t, p.post(t, link, "do", "move"), "The address is changed", "new@example.org")
	}
	if h, err := p.db.History(t.Context(), sub.ID); err != nil || h.Email != "new@example.org" || p.kinds(t, sub.ID) != "moved" {
		t.Errorf("%+v, %v", h, err)
	}
	// A link is good for a week.
	old, err := p.db.AddLetter(t.Context(), newsletter.Letter{Subscriber: sub.ID, Kind: newsletter.LetterMove, Email: "old@example.org", CreatedAt: time.Now().Add(-8 * 24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if res := p.post(t, "/preferences/"+tokens.SignFor(audience.PurposeMove, sub.ID, old), "do", "move"); res.StatusCode != http.StatusBadRequest {
		t.Errorf("too old: %s", res.Status)
	}
	// A link that was overtaken by another one is good no more, and one whose
	// address was taken meanwhile says so.
	p.post(t, path, "do", "save", "name", "Ada", "email", "newer@example.org")
	if res := p.post(t, link, "do", "move"); res.StatusCode != http.StatusBadRequest {
		t.Errorf("overtaken: %s", res.Status)
	}
	if _, _, err := audience.New(p.db, tokens).Add(t.Context(), "newer@example.org", "", nil); err != nil {
		t.Fatal(err)
	}
	p.want(t, p.post(t, "/preferences/"+tokens.SignFor(audience.PurposeMove, sub.ID, 5), "do", "move"), "cannot be used")
}

func TestDownloadAndErase(t *testing.T) {
	p := openList(t)
	sub := p.subscriber(t)
	path := "/preferences/" + tokens.Sign(sub.ID, 1)
	p.post(t, path, "do", "save", "name", "Ada Lovelace", "often", "monthly")
	res := p.post(t, path, "do", "download")
	var all audience.Document
	if err := json.Unmarshal([]byte(res.body), &all); err != nil || all.Email != "ada@example.org" || all.Name != "Ada Lovelace" || len(all.Events) != 2 {
		t.Errorf("%v: %s", err, res.body)
	}
	if res.Header.Get("Content-Type") != "application/json" || !strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment") || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", res.Header)
	}
	p.want(t, p.get(t, path+"?erase"), "Erase your data?", `value="erase"`)
	for range 2 {
		p.want(t, p.post(t, path, "do", "erase"), "Your data is erased")
	}
	if rows := strings.ToLower(p.dump(t)); strings.Contains(rows, "ada") || strings.Contains(rows, "lovelace") {
		t.Errorf("something is left:\n%s", rows)
	}
	// Her old links go on working, and change nothing.
	for _, do := range []string{"save", "resume", "download", "move", "tell", "pause", "return"} {
		res := p.post(t, path, "do", do, "name", "Ada", "email", "ada@example.org")
		if do != "move" && res.StatusCode != http.StatusOK || strings.Contains(res.body, `value="return"`) {
			t.Errorf("%s: %s\n%s", do, res.Status, res.body)
		}
	}
	p.want(t, p.get(t, path), "Your data is erased")
	p.want(t, p.ask(t, http.MethodPost, "/unsubscribe/"+tokens.Sign(sub.ID, 1), oneClick), "You are unsubscribed")
	if rows := strings.ToLower(p.dump(t)); strings.Contains(rows, "ada") {
		t.Errorf("something came back:\n%s", rows)
	}
}
