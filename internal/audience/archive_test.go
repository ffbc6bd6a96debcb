package audience_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/audience"
	"threadmill/internal/newsletter"
)

// packed is a zip of files, each followed by its text.
func packed(tb testing.TB, files ...string) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	for i := 0; i < len(files); i += 2 {
		w, err := z.Create(files[i])
		if err == nil {
			_, err = io.WriteString(w, files[i+1])
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func sample(tb testing.TB, name string) string {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

func TestImportArchive(t *testing.T) {
	tests := []struct {
		name       string
		zip        []byte
		want       []string
		read, left []string
		warnings   []string
	}{
		{
			name: "Mailchimp, those who left first",
			zip: packed(t,
				"subscribed_members_export_5a1.csv", sample(t, "mailchimp-subscribed.csv")+"cyd@example.org,Cyd\n",
				"unsubscribed_members_export_5a1.csv", "Email Address,First Name\ncyd@example.org,Cyd\n",
				"cleaned_members_export_5a1.csv", "Email Address,First Name\ndan@example.org,\n",
				"nonsubscribed_members_export_5a1.csv", "Email Address,First Name\neve@example.org,\n",
			),
			want: []string{
				"cyd@example.org|Cyd|unsubscribed|", "dan@example.org||bounced|",
				"ada@example.org|Ada Lovelace|active|math,early bird", "bob@example.org|Bob|active|",
			},
			read: []string{"unsubscribed_members_export_5a1.csv", "cleaned_members_export_5a1.csv", "subscribed_members_export_5a1.csv"},
			left: []string{"nonsubscribed_members_export_5a1.csv"},
		},
		{
			name: "Substack, whose posts hold addresses",
			zip: packed(t, "posts.csv", "post_id,title\n1,x\n", "posts/1.opens.csv", "email\nspy@example.org\n", "posts/subscribers.csv", "email\nspy@example.org\n",
				"email_list.sample.csv", sample(t, "substack.csv"), "__MACOSX/._email_list.sample.csv", "\x00"),
			want: []string{"ada@example.org|Ada|active|", "bob@example.org||unsubscribed|"},
			read: []string{"email_list.sample.csv"},
			left: []string{"posts.csv", "posts/1.opens.csv", "posts/subscribers.csv", "__MACOSX/._email_list.sample.csv"},
		},
		{
			name:     "an empty list beside a good one",
			zip:      packed(t, "a/subscribers-1.csv", "", "b/Members.CSV", "email\nada@example.org\n"),
			want:     []string{"ada@example.org||active|"},
			read:     []string{"a/subscribers-1.csv", "b/Members.CSV"},
			warnings: []string{"a/subscribers-1.csv: is empty"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, db := open(t)
			report, err := a.ImportArchive(t.Context(), bytes.NewReader(tt.zip), int64(len(tt.zip)), audience.ImportOptions{File: "export.zip"})
			if err != nil {
				t.Fatal(err)
			}
			for what, diff := range map[string]string{
				"list": cmp.Diff(tt.want, list(t, db)), "read": cmp.Diff(tt.read, report.Read),
				"left alone": cmp.Diff(tt.left, report.Left), "warnings": cmp.Diff(tt.warnings, report.Warnings),
			} {
				if diff != "" {
					t.Errorf("%s (-want +got)\n%s", what, diff)
				}
			}
			checkSum(t, report)
		})
	}
}

func TestImportArchiveRefused(t *testing.T) {
	zeros := strings.Repeat("x", 65<<20)
	tests := []struct {
		name string
		zip  []byte
		want string
	}{
		{"no list", packed(t, "posts.csv", "a,b\n"), "holds no list of subscribers"},
		{"cut", packed(t, "subscribers.csv", "email\n")[:40], "open the archive"},
		{"a bomb", packed(t, "subscribers.csv", "email\nada@example.org\n"+zeros), "unpack to more than 64 MB"},
		{"no addresses", packed(t, "members.csv", "name,town\nAda,London\n"), `members.csv: line 1: no column holds the addresses`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, _ := open(t)
			_, err := a.ImportArchive(t.Context(), bytes.NewReader(tt.zip), int64(len(tt.zip)), audience.ImportOptions{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func FuzzImportArchive(f *testing.F) {
	f.Add(packed(f, "subscribers.csv", "email\nada@example.org\n", "posts/1.html", "<p>"))
	f.Add(packed(f, "cleaned_members_export_1.csv", "Email Address\nada@example.org\n"))
	a, _ := open(f)
	f.Fuzz(func(t *testing.T, z []byte) {
		report, err := a.ImportArchive(t.Context(), bytes.NewReader(z), int64(len(z)), audience.ImportOptions{})
		if err == nil && len(report.Read) == 0 {
			t.Error("nothing was read, and nothing told")
		}
		checkSum(t, report)
	})
}

// What is kept of people moves to another database and back without loss.
func TestMoveEverything(t *testing.T) {
	a, db := open(t)
	at := time.Date(2024, 1, 2, 3, 4, 5, 6e6, time.UTC)
	came := &newsletter.Import{At: at, File: "=fair.csv", Consent: "signed a sheet,\nat the fair"}
	_, err := db.AddRecords(t.Context(), []newsletter.SubscriberRecord{
		{
			Subscriber: newsletter.Subscriber{Email: "Zoe@example.org", Key: "zoe@example.org", Name: "-Zoë", Status: newsletter.SubscriberActive, Tags: []string{"tea"}, CreatedAt: at},
			Since:      at.Add(time.Hour), Frequency: newsletter.FrequencyMonthly, Wants: []string{"home", "=x"}, PausedUntil: newsletter.UntilLifted, Bounces: 2,
			Import: came,
			Events: []newsletter.SubscriberEvent{
				{At: at, Kind: newsletter.EventAsked, Form: "/subscribe", Network: "abc", Text: "I want \"it\", <b>weekly</b>"},
				{At: at.Add(time.Hour), Kind: newsletter.EventConfirmed, Issue: 3},
			},
		},
		{
			Subscriber: newsletter.Subscriber{Email: "bob@example.org", Key: "bob@example.org", Status: newsletter.SubscriberSuppressed, CreatedAt: at},
			Reason:     "550 no such user", Suppression: "bounced", Since: at, Import: came,
		},
		{Subscriber: newsletter.Subscriber{Email: "gone@example.org", Key: "gone@example.org", Status: newsletter.SubscriberSuppressed}, Suppression: "removed by the operator", Since: at, Bare: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	add(t, a, db, "ada@example.org", newsletter.SubscriberUnsubscribed)
	first := exported(t, a)
	b, copied := open(t)
	for range 2 { // the second time changes nothing
		if _, err := b.Import(t.Context(), strings.NewReader(first), audience.ImportOptions{File: "list.csv"}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, exported(t, b)); diff != "" {
			t.Errorf("the second file (-want +got)\n%s", diff)
		}
	}
	if lifted, err := copied.LiftBounce(t.Context(), "bob@example.org"); err != nil || !lifted {
		t.Errorf("a bounce that moved is lifted: %v, %v", lifted, err)
	}
	if _, sub, err := b.Add(t.Context(), "gone@example.org", "", nil); err != nil || sub.Status != newsletter.SubscriberSuppressed {
		t.Errorf("who was removed comes back as %s, %v", sub.Status, err)
	}
}

func exported(tb testing.TB, a *audience.Audience) string {
	tb.Helper()
	var out bytes.Buffer
	if err := a.Export(tb.Context(), &out); err != nil {
		tb.Fatal(err)
	}
	return out.String()
}

// A dry run counts as the import does, and writes nothing.
func TestRehearsal(t *testing.T) {
	const file = "email,name,status,tags\nnew@example.org,,active,\nnew@example.org,New,active,x\nada@example.org,Ada,active,\n" +
		"left@example.org,,active,\nbob@example.org,,unsubscribed,\nforgotten@example.org,,active,\nremoved@example.org,,active,\nbad\n"
	a, db := open(t)
	add(t, a, db, "ada@example.org", newsletter.SubscriberPending)
	add(t, a, db, "bob@example.org", newsletter.SubscriberActive)
	add(t, a, db, "left@example.org", newsletter.SubscriberUnsubscribed)
	_, err := db.Forget(t.Context(), "forgotten@example.org", "forgotten@example.org")
	if err == nil {
		_, err = a.Remove(t.Context(), "removed@example.org")
	}
	if err != nil {
		t.Fatal(err)
	}
	before := exported(t, a)
	rehearsal, err := db.Rehearse(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := rehearsal.Close(); err != nil {
			t.Error(err)
		}
	}()
	dry, err := a.Import(t.Context(), strings.NewReader(file), audience.ImportOptions{Rehearsal: rehearsal})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, exported(t, a)); diff != "" {
		t.Errorf("a dry run wrote (-want +got)\n%s", diff)
	}
	wet, err := a.Import(t.Context(), strings.NewReader(file), audience.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wet, dry); diff != "" {
		t.Errorf("the import and the dry run differ (-import +dry run)\n%s", diff)
	}
	want := map[newsletter.SubscriberStatus]int{newsletter.SubscriberActive: 2, newsletter.SubscriberUnsubscribed: 1}
	if diff := cmp.Diff(want, wet.Became); diff != "" {
		t.Errorf("became (-want +got)\n%s", diff)
	}
}
