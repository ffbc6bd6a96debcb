package audience_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"threadmill/internal/audience"
	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

var tokens = audience.NewTokens(audience.Key{ID: 1, Secret: bytes.Repeat([]byte{1}, 32)})

// nobody is the file of a database without subscribers. It is made once,
// since each new database waits for the disk several times.
var nobody = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "audience")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "threadmill.db")
	db, err := store.Open(context.Background(), file, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

// open returns an audience on a new database.
func open(tb testing.TB) (*audience.Audience, *store.Store) {
	tb.Helper()
	empty, err := nobody()
	if err != nil {
		tb.Fatal(err)
	}
	file := filepath.Join(tb.TempDir(), "threadmill.db")
	if err := os.WriteFile(file, empty, 0o600); err != nil {
		tb.Fatal(err)
	}
	db, err := store.Open(tb.Context(), file, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return audience.New(db, tokens), db
}

// list returns everybody as "email|name|status|tags".
func list(tb testing.TB, db *store.Store) []string {
	tb.Helper()
	var all []string
	for sub, err := range db.Subscribers(tb.Context()) {
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, strings.Join([]string{sub.Email, sub.Name, string(sub.Status), strings.Join(sub.Tags, ",")}, "|"))
	}
	return all
}

// add puts somebody on the list with a status.
func add(tb testing.TB, a *audience.Audience, db *store.Store, address string, status newsletter.SubscriberStatus) newsletter.Subscriber {
	tb.Helper()
	_, sub, err := a.Add(tb.Context(), address, "", nil)
	if err == nil && status != newsletter.SubscriberActive {
		err = db.SetSubscriberStatus(tb.Context(), sub.ID, status, "test")
	}
	if err != nil {
		tb.Fatal(err)
	}
	return sub
}

// gone are the statuses that nobody is raised from.
func gone() []newsletter.SubscriberStatus {
	return []newsletter.SubscriberStatus{
		newsletter.SubscriberUnsubscribed, newsletter.SubscriberBounced,
		newsletter.SubscriberComplained, newsletter.SubscriberSuppressed,
	}
}

func TestAdd(t *testing.T) {
	a, db := open(t)
	steps := []struct {
		address, name string
		tags          []string
		want          newsletter.AddResult
		list          string
	}{
		{"ada@Example.org", "", nil, newsletter.Added, "ada@example.org||active|"},
		{"ada@example.org", "", nil, newsletter.Unchanged, "ada@example.org||active|"},
		{"Ada <ADA@example.org>", "", []string{"math"}, newsletter.Completed, "ada@example.org|Ada|active|math"},
		{"ada@example.org", "Augusta", []string{" math ", "", "math"}, newsletter.Unchanged, "ada@example.org|Ada|active|math"},
		{"ada@example.org", "", []string{"tea; poets\r\n|math"}, newsletter.Completed, "ada@example.org|Ada|active|math,tea,poets"},
	}
	for _, step := range steps {
		result, sub, err := a.Add(t.Context(), step.address, step.name, step.tags)
		if err != nil {
			t.Fatal(err)
		}
		if result != step.want || sub.ID == 0 || sub.CreatedAt.IsZero() {
			t.Errorf("Add(%q) = %s %+v, want %s", step.address, result, sub, step.want)
		}
		if diff := cmp.Diff([]string{step.list}, list(t, db)); diff != "" {
			t.Errorf("after %q (-want +got)\n%s", step.address, diff)
		}
	}
}

func TestAddNameFromAddress(t *testing.T) {
	a, _ := open(t)
	_, sub, err := a.Add(t.Context(), "Ada <ada@example.org>", "Augusta\r\nAda", nil)
	if err != nil || sub.Name != "Augusta Ada" {
		t.Errorf("the name is %q (%v)", sub.Name, err)
	}
}

func TestAddRefuses(t *testing.T) {
	a, db := open(t)
	_, _, err := a.Add(t.Context(), "ada@example.org\r\nBcc: eve@example.org", "", nil)
	if _, ok := errors.AsType[*audience.AddressError](err); !ok {
		t.Errorf("got %v, want an AddressError", err)
	}
	if all := list(t, db); len(all) > 0 {
		t.Errorf("the list holds %q", all)
	}
}

func TestAddKeeps(t *testing.T) {
	a, db := open(t)
	for _, status := range gone() {
		address := string(status) + "@example.org"
		add(t, a, db, address, status)
		result, sub, err := a.Add(t.Context(), strings.ToUpper(address), "", nil)
		if err != nil || result != newsletter.Kept || sub.Status != status {
			t.Errorf("got %s %s %v, want kept %s", result, sub.Status, err, status)
		}
	}
}

func TestRemove(t *testing.T) {
	a, db := open(t)
	add(t, a, db, "ada@example.org", newsletter.SubscriberActive)
	add(t, a, db, "bob@example.org", newsletter.SubscriberActive)
	for range 2 {
		if known, err := a.Remove(t.Context(), "Ada@Example.org"); err != nil || !known {
			t.Fatal(known, err)
		}
		want := []string{"ada@example.org||suppressed|", "bob@example.org||active|"}
		if diff := cmp.Diff(want, list(t, db)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	if known, err := a.Remove(t.Context(), "eve@example.org"); err != nil || known {
		t.Errorf("somebody unknown gives %v %v", known, err)
	}
	if result, sub, err := a.Add(t.Context(), "eve@example.org", "", nil); err != nil || result != newsletter.Kept || sub.Status != newsletter.SubscriberSuppressed {
		t.Errorf("added after that: %s %s %v, want kept suppressed", result, sub.Status, err)
	}
	if _, err := a.Remove(t.Context(), "nobody"); err == nil {
		t.Error("a text without @ was removed")
	}
}

func TestUnsubscribe(t *testing.T) {
	a, db := open(t)
	ada := add(t, a, db, "ada@example.org", newsletter.SubscriberActive)
	add(t, a, db, "bob@example.org", newsletter.SubscriberActive)
	token := tokens.Sign(ada.ID, 12)
	if sub, err := a.Recipient(t.Context(), token); err != nil || sub.Email != "ada@example.org" || !audience.Subscribed(sub) {
		t.Errorf("the link is that of %+v (%v)", sub, err)
	}
	for range 2 {
		sub, err := a.Unsubscribe(t.Context(), token)
		if err != nil || sub.Status != newsletter.SubscriberUnsubscribed || audience.Subscribed(sub) {
			t.Errorf("got %+v, %v", sub, err)
		}
	}
	want := []string{"ada@example.org||unsubscribed|", "bob@example.org||active|"}
	if diff := cmp.Diff(want, list(t, db)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestUnsubscribePending(t *testing.T) {
	a, db := open(t)
	ada := add(t, a, db, "ada@example.org", newsletter.SubscriberPending)
	sub, err := a.Unsubscribe(t.Context(), tokens.Sign(ada.ID, 1))
	if err != nil || sub.Status != newsletter.SubscriberUnsubscribed {
		t.Errorf("got %+v, %v", sub, err)
	}
}

func TestUnsubscribeKeepsStatus(t *testing.T) {
	a, db := open(t)
	for _, status := range gone() {
		sub := add(t, a, db, string(status)+"@example.org", status)
		sub, err := a.Unsubscribe(t.Context(), tokens.Sign(sub.ID, 1))
		if err != nil || sub.Status != status {
			t.Errorf("got %s, %v", sub.Status, err)
		}
		if stored, err := db.Subscriber(t.Context(), sub.ID); err != nil || stored.Status != status {
			t.Errorf("the list says %s, %v", stored.Status, err)
		}
	}
}

// A link of somebody who was forgotten is still good: they get no mail, which
// is what they ask for.
func TestUnsubscribeForgotten(t *testing.T) {
	a, _ := open(t)
	sub, err := a.Unsubscribe(t.Context(), tokens.Sign(99, 1))
	if err != nil || audience.Subscribed(sub) || sub.Email != "" {
		t.Errorf("got %+v, %v", sub, err)
	}
}

func TestUnsubscribeForged(t *testing.T) {
	a, db := open(t)
	ada := add(t, a, db, "ada@example.org", newsletter.SubscriberActive)
	forger := audience.NewTokens(audience.Key{ID: 1, Secret: bytes.Repeat([]byte{2}, 32)})
	for _, token := range []string{"", "x", forger.Sign(ada.ID, 1), tokens.Sign(ada.ID, 1) + "A"} {
		if _, err := a.Unsubscribe(t.Context(), token); !errors.Is(err, audience.ErrToken) {
			t.Errorf("Unsubscribe(%q) gives %v", token, err)
		}
		if _, err := a.Recipient(t.Context(), token); !errors.Is(err, audience.ErrToken) {
			t.Errorf("Recipient(%q) gives %v", token, err)
		}
	}
	if diff := cmp.Diff([]string{"ada@example.org||active|"}, list(t, db)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestExportImportSame(t *testing.T) {
	a, db := open(t)
	for i, status := range append(gone(), newsletter.SubscriberActive, newsletter.SubscriberPending) {
		add(t, a, db, string('a'+rune(i))+"@example.org", status)
	}
	awkward := []struct{ address, name string }{
		{"=cmd+x@example.org", `=HYPERLINK("http://evil.example")`},
		{"-minus@example.org", "'=quoted"},
		{"+plus@example.org", "''@twice"},
		{"O'Hara@example.org", "'tis"},
		{"semi@example.org", `a;b,"c"|d`},
		{"utf8@bücher.example", "دانا 👩‍🚀"},
	}
	for _, s := range awkward {
		if _, _, err := a.Add(t.Context(), s.address, s.name, []string{"-5", "=a", "tea"}); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := a.Export(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	cells, err := csv.NewReader(bytes.NewReader(out.Bytes())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, cell := range slices.Concat(cells...) {
		if cell != "" && strings.Contains("=+-@", cell[:1]) {
			t.Errorf("a spreadsheet would run the cell %s", cell)
		}
	}

	b, copied := open(t)
	report, err := b.Import(t.Context(), bytes.NewReader(out.Bytes()), audience.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	report.Became = nil
	if diff := cmp.Diff(audience.ImportReport{Rows: 12, Added: 12}, report); diff != "" {
		t.Errorf("report (-want +got)\n%s", diff)
	}
	byKey := cmpopts.SortSlices(func(a, b newsletter.Subscriber) bool { return a.Key < b.Key })
	if diff := cmp.Diff(everybody(t, db), everybody(t, copied), cmpopts.EquateEmpty(), byKey, cmpopts.IgnoreFields(newsletter.Subscriber{}, "ID")); diff != "" {
		t.Errorf("the list (-want +got)\n%s", diff)
	}
	var again bytes.Buffer
	if err := b.Export(t.Context(), &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(out.String(), again.String()); diff != "" {
		t.Errorf("the second file (-want +got)\n%s", diff)
	}
}

func everybody(tb testing.TB, db *store.Store) []newsletter.Subscriber {
	tb.Helper()
	var all []newsletter.Subscriber
	for sub, err := range db.Subscribers(tb.Context()) {
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, sub)
	}
	return all
}

// full takes so many bytes and no more, as a full disk does.
type full int

func (f *full) Write(p []byte) (int, error) {
	if len(p) > int(*f) {
		return 0, errors.New("no space left on device")
	}
	*f -= full(len(p))
	return len(p), nil
}

func TestExportFails(t *testing.T) {
	a, db := open(t)
	add(t, a, db, "ada@example.org", newsletter.SubscriberActive)
	disk := full(10)
	if err := a.Export(t.Context(), &disk); err == nil || !strings.Contains(err.Error(), "export subscribers: no space") {
		t.Errorf("a full disk gives %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.Export(t.Context(), &bytes.Buffer{}); err == nil {
		t.Error("a closed database gives no error")
	}
}

// Every call tells of a database that does not answer.
func TestStoreFails(t *testing.T) {
	a, db := open(t)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, _, addErr := a.Add(t.Context(), "ada@example.org", "", nil)
	_, unsubErr := a.Unsubscribe(t.Context(), tokens.Sign(1, 1))
	_, removeErr := a.Remove(t.Context(), "ada@example.org")
	_, importErr := a.Import(t.Context(), strings.NewReader("ada@example.org\n"), audience.ImportOptions{})
	for what, err := range map[string]error{
		"add subscriber ada@example.org: ":    addErr,
		"remove subscriber ada@example.org: ": removeErr,
		"look up subscriber 1: ":              unsubErr,
		"import subscribers: ":                importErr,
	} {
		if err == nil || !strings.HasPrefix(err.Error(), what) {
			t.Errorf("got %v, want %q in front", err, what)
		}
	}
}
