package publish_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
	"threadmill/internal/render"
	"threadmill/internal/schedule"
	"threadmill/internal/site"
	"threadmill/internal/store"
	"threadmill/internal/thread"
	"threadmill/templates"
)

// desk is a publication in a folder of its own, made of the real parts.
type desk struct {
	*publish.Publisher
	t     *testing.T
	dir   string
	store *store.Store
	zone  *time.Location
}

// builtIn are the templates of the program, read once for all desks.
var builtIn = sync.OnceValues(func() (*render.Templates, error) { return render.Load(nil, templates.FS) })

// settings are what tests change about a desk.
type settings struct {
	cron, zone, catchUp string
	perIssue            int
	embed               bool
	missed              bool
	order               newsletter.Order
	except              []string
	hooks               publish.Hooks
	dir                 string // an existing desk's folder
}

func newDesk(t *testing.T, s settings) *desk {
	t.Helper()
	d := &desk{t: t, dir: s.dir}
	if d.dir == "" {
		d.dir = t.TempDir()
		d.mkdir("threads")
	}
	var err error
	if d.store, err = store.Open(t.Context(), filepath.Join(d.dir, "t.db"), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.store.Close() })
	o := d.options(s)
	d.Publisher, d.zone = publish.New(o), o.Publication.Zone
	if s.dir == "" || s.cron != "" {
		if err := d.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func (d *desk) options(s settings) publish.Options {
	zone := time.UTC
	o := publish.Options{
		Store:           d.store,
		Expression:      s.cron,
		Order:           newsletter.OrderOldest,
		ThreadsPerIssue: max(s.perIssue, 1),
		Batch:           2,
		EmbedPictures:   s.embed,
		SendMissed:      s.missed,
		Hooks:           s.hooks,
		Letterhead: publish.Letterhead{
			From: netmail.Address{Name: "News", Address: "news@example.com"}, UnsubscribeURL: "https://example.com/unsubscribe/", OneClick: true,
		},
		Log: slog.New(slog.DiscardHandler),
	}
	if s.cron != "" {
		parsed, err := schedule.Parse(s.cron, s.zone)
		if err != nil {
			d.t.Fatal(err)
		}
		o.Schedule, zone = parsed, parsed.Location()
	}
	catchUp := s.catchUp
	if catchUp == "" {
		catchUp = "one"
	}
	if s.order != "" {
		o.Order = s.order
	}
	var err error
	if o.CatchUp, err = schedule.ParseCatchUp(catchUp); err != nil {
		d.t.Fatal(err)
	}
	if o.Except, err = schedule.ParseExcept(s.except, zone); err != nil {
		d.t.Fatal(err)
	}
	o.Publication = newsletter.Publication{Title: "Test", URL: "https://example.com", Language: "en", Accent: "#b4532a", Zone: zone}
	reader := thread.Reader{Dir: filepath.Join(d.dir, "threads"), Label: "threads", Zone: zone}
	o.Folder, o.Parse = reader, reader.Parse
	o.Templates = func() (*render.Templates, error) {
		if _, err := os.Stat(filepath.Join(d.dir, "templates")); err != nil {
			return builtIn()
		}
		return render.Load(os.DirFS(filepath.Join(d.dir, "templates")), templates.FS)
	}
	o.Site = func(t *render.Templates, dir string) *site.Site {
		if dir == "" {
			dir = filepath.Join(d.dir, "public")
		}
		return site.New(site.Options{
			Dir: dir, Publication: o.Publication, Templates: t,
			OpenAsset: func(ctx context.Context, t newsletter.Thread, name string) (io.ReadCloser, string, error) {
				return d.store.OpenAsset(ctx, t.ID, name)
			},
		})
	}
	return o
}

func (d *desk) mkdir(name string) {
	d.t.Helper()
	if err := os.MkdirAll(filepath.Join(d.dir, name), 0o755); err != nil {
		d.t.Fatal(err)
	}
}

// write writes a file below the folder.
func (d *desk) write(name, content string) {
	d.t.Helper()
	d.mkdir(filepath.Dir(name))
	if err := os.WriteFile(filepath.Join(d.dir, name), []byte(content), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) rename(from, to string) {
	d.t.Helper()
	if err := os.Rename(filepath.Join(d.dir, from), filepath.Join(d.dir, to)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) read(name string) string {
	d.t.Helper()
	b, err := os.ReadFile(filepath.Join(d.dir, name))
	if err != nil {
		d.t.Fatal(err)
	}
	return string(b)
}

// threads writes n threads, a day apart.
func (d *desk) threads(n int) {
	for i := range n {
		d.write(fmt.Sprintf("threads/2024-01-%02d-t%d.md", i+1, i), text(i))
	}
}

func text(i int) string {
	return fmt.Sprintf("The thread number %d begins with these words.\n\n---\n\nIts second post, number %d, ends it.\n", i, i)
}

func (d *desk) subscribers(n int) {
	d.t.Helper()
	var subs []newsletter.Subscriber
	for i := range n {
		email := fmt.Sprintf("r%d@example.org", i)
		subs = append(subs, newsletter.Subscriber{Email: email, Key: email, Status: newsletter.SubscriberActive})
	}
	if _, err := d.store.AddSubscribers(d.t.Context(), subs); err != nil {
		d.t.Fatal(err)
	}
}

// due publishes what is due and returns the id of its thread, or the reason.
func (d *desk) due() string { return d.outcome(d.PublishDue(d.t.Context(), "")) }

// now publishes by hand.
func (d *desk) now() string { return d.outcome(d.PublishNow(d.t.Context(), "", false)) }

func (d *desk) outcome(o publish.Outcome, err error) string {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
	if o.Issue == nil {
		return o.Reason
	}
	var ids []string
	for _, t := range o.Issue.Threads {
		ids = append(ids, t.ID)
	}
	return strings.Join(ids, " ")
}

func (d *desk) writeSite() {
	d.t.Helper()
	if _, err := d.WriteSite(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
}

// states are the threads of the catalogue with where they stand.
func (d *desk) states() map[string]newsletter.ThreadState {
	d.t.Helper()
	c, err := d.Catalogue(context.WithoutCancel(d.t.Context()))
	if err != nil {
		d.t.Fatal(err)
	}
	states := map[string]newsletter.ThreadState{}
	for _, t := range c.Threads {
		states[t.File] = t.State(time.Now())
	}
	return states
}

func wantContains(t *testing.T, what, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("%s: got %q, want it to contain %q", what, got, want)
	}
}

func TestPublishNow(t *testing.T) {
	d := newDesk(t, settings{})
	d.threads(2)
	d.subscribers(5)
	if got := d.now(); got != "2024-01-01-t0" {
		t.Fatalf("published %q, want the oldest thread", got)
	}
	issue, err := d.store.Issue(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	want := newsletter.Counts{Recipients: 5, Pending: 5}
	if diff := cmp.Diff(want, issue.Counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if open, err := d.store.OpenBatches(t.Context(), 10); err != nil || len(open) > 0 {
		t.Errorf("mail may go before the site is written: %v, %v", open, err)
	}
	d.writeSite()
	if open, err := d.store.OpenBatches(t.Context(), 10); err != nil || len(open) != 3 {
		t.Errorf("%d batches are open after the site was written (%v), want 3 of two deliveries", len(open), err)
	}
	wantContains(t, "page", d.read("public/threads/t0/index.html"), "The thread number 0 begins")
	wantContains(t, "archive", d.read("public/index.html"), "2 posts")
	if got := d.now(); got != "2024-01-02-t1" {
		t.Errorf("published %q next", got)
	}
	wantContains(t, "empty queue", d.now(), "no thread is ready")
}

func TestNobodySubscribed(t *testing.T) {
	d := newDesk(t, settings{})
	d.threads(1)
	d.now()
	issue, err := d.store.Issue(t.Context(), 1)
	if err != nil || issue.Recipients != 0 || issue.FinishedAt.IsZero() {
		t.Errorf("issue %+v, %v; want it finished with nobody to send to", issue, err)
	}
	d.writeSite()
	wantContains(t, "feed", d.read("public/feed.xml"), "<guid")
}

func TestDigest(t *testing.T) {
	d := newDesk(t, settings{perIssue: 3})
	d.threads(4)
	d.subscribers(1)
	if got := d.now(); got != "2024-01-01-t0 2024-01-02-t1 2024-01-03-t2" {
		t.Errorf("first digest carries %q", got)
	}
	if got := d.now(); got != "2024-01-04-t3" {
		t.Errorf("the last goes out with fewer threads; got %q", got)
	}
	d.writeSite()
	wantContains(t, "page of the digest", d.read("public/issues/1/index.html"), "The thread number 2")
	if _, err := os.Stat(filepath.Join(d.dir, "public/issues/2")); err == nil {
		t.Error("an issue of one thread has a page of its own")
	}
}

// The mail of a digest links to the page of its issue, which shows what goes
// out by the web, and goes when that is nothing any more.
func TestDigestByMailAndWeb(t *testing.T) {
	d := newDesk(t, settings{perIssue: 2})
	d.threads(2)
	const one, two, byMail = "threads/2024-01-01-t0.md", "threads/2024-01-02-t1.md", "---\nparams: {channels: [mail]}\n---\n"
	d.write(one, byMail+text(0))
	d.now()
	d.writeSite()
	page := d.read("public/issues/1/index.html")
	wantContains(t, "page of the digest", page, "The thread number 1")
	if strings.Contains(page, "number 0") {
		t.Error("the page shows a thread by mail only")
	}
	d.write(one, text(0))
	d.writeSite()
	wantContains(t, "page of the digest", d.read("public/issues/1/index.html"), "The thread number 0")
	d.write(one, byMail+text(0))
	d.write(two, byMail+text(1))
	d.writeSite()
	if _, err := os.Stat(filepath.Join(d.dir, "public/issues/1")); err == nil {
		t.Error("the page of a digest by mail only is on the site")
	}
}

// A template or an output folder that does not work stops before the claim.
func TestNothingIsClaimedOnAFault(t *testing.T) {
	d := newDesk(t, settings{})
	d.threads(1)
	faults := []struct {
		name       string
		cause      func()
		mend, want string
	}{
		{"template with a fault", func() { d.write("templates/mail.txt", "a\n{{.Nonsense}}\n") }, "templates", "mail.txt:2"},
		{"template that loops", func() { d.write("templates/thread.html", `{{define "x"}}{{template "x" .}}{{end}}{{template "x" .}}`) }, "templates", "thread.html:1"},
		{"output folder is a file", func() { d.write("public", "") }, "public", "public"},
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			f.cause()
			_, err := d.PublishNow(t.Context(), "", false)
			if err == nil || !strings.Contains(err.Error(), f.want) {
				t.Errorf("got error %v, want one about %s", err, f.want)
			}
			if issues, err := d.store.Issues(t.Context()); err != nil || len(issues) > 0 {
				t.Errorf("issues %v, %v; want none", issues, err)
			}
			if err := os.RemoveAll(filepath.Join(d.dir, f.mend)); err != nil {
				t.Fatal(err)
			}
		})
	}
	if got := d.now(); got != "2024-01-01-t0" {
		t.Errorf("after the faults were mended: %q", got)
	}
}

func TestSiteThatCannotBeWrittenHoldsTheMail(t *testing.T) {
	d := newDesk(t, settings{})
	d.threads(1)
	d.subscribers(1)
	d.now()
	if err := os.RemoveAll(filepath.Join(d.dir, "public")); err != nil {
		t.Fatal(err)
	}
	d.write("public", "a file in the way")
	if _, err := d.WriteSite(t.Context()); err == nil {
		t.Fatal("wrote a site into a file")
	}
	if open, err := d.store.OpenBatches(t.Context(), 1); err != nil || len(open) > 0 {
		t.Errorf("mail may go without its page: %v, %v", open, err)
	}
	if err := os.Remove(filepath.Join(d.dir, "public")); err != nil {
		t.Fatal(err)
	}
	d.writeSite()
	if open, err := d.store.OpenBatches(t.Context(), 1); err != nil || len(open) != 1 {
		t.Errorf("mail is still held: %v, %v", open, err)
	}
}

func TestBrokenFileIsLeftOut(t *testing.T) {
	d := newDesk(t, settings{})
	d.threads(1)
	d.write("threads/2023-01-01-first.md", "---\ndate: whenever\n---\n\nFirst.\n")
	if got := d.now(); got != "2024-01-01-t0" {
		t.Errorf("published %q beside a broken file", got)
	}
}

func TestNamedThread(t *testing.T) {
	d := newDesk(t, settings{})
	d.threads(3)
	d.write("threads/2024-02-01-draft.md", "---\ndraft: true\n---\n\nNot yet.\n")
	if got := d.outcome(d.PublishNow(t.Context(), "2024-01-03-t2", false)); got != "2024-01-03-t2" {
		t.Errorf("published %q", got)
	}
	for id, want := range map[string]string{"2024-01-03-t2": "is sent", "2024-02-01-draft": "is draft", "nonsense": "not found"} {
		_, err := d.PublishNow(t.Context(), id, false)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("thread %s: error %v, want %q", id, err, want)
		}
	}
}
