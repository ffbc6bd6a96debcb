package site_test

import (
	"database/sql"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/render"
	"threadmill/internal/store"
	"threadmill/templates"
)

// told is what the page about privacy says of each column of the tables that
// hold something of a reader; a column that tells nothing of a person has an
// empty text. A new column must be told of, or say here that it need not be.
var told = map[string]map[string]string{
	"subscribers": {
		"id": "", "key": "your address", "email": "your address", "name": "a name", "tags": "tags",
		"status": "whether you get the mail", "status_reason": "why", "status_at": "since when", "created_at": "since when you are on the list",
		"bounces": "how often your address refused mail", "frequency": "how often mail comes", "wants": "which topics", "paused_until": "until when it is paused", "import": "if a file brought you",
	},
	"deliveries": {
		"id": "", "issue": "for each issue", "subscriber": "", "batch": "", "state": "was sent", "attempts": "how often that was tried",
		"doubts": "", "first_at": "when", "next_at": "", "changed_at": "when", "code": "the last answer of the mail server",
		"answer": "the last answer of the mail server", "hold": "", "retried_at": "", "bounce": "the last answer of the mail server",
	},
	"suppressions": {"key": "the address", "reason": "why", "created_at": "when"},
	"subscriber_events": {
		"id": "", "subscriber": "", "at": "each step of your subscription with its time", "kind": "each step", "issue": "the issue whose link you used",
		"form": "on which page", "network": "a code made of the network address", "text": "what you agreed to",
	},
	"letters": {
		"id": "", "subscriber": "", "kind": "mails to you that were no issue", "email": "to which other address", "created_at": "when", "next_at": "",
		"attempts": "", "sent_at": "when", "answer": "the answer of the mail server",
	},
	"reports": {
		"id": "", "digest": "", "at": "when", "subscriber": "", "issue": "for which issue", "kind": "that it came back", "class": "called spam",
		"source": "how they told it", "status": "their words", "text": "their words",
	},
	"imports": {"id": "", "at": "", "file": "its name", "consent": "the consent that the author noted"},
}

func privacy(t *testing.T, p render.Privacy) string {
	t.Helper()
	tmpl, err := render.Load(nil, templates.FS)
	if err != nil {
		t.Fatal(err)
	}
	page, err := tmpl.PrivacyPage(newsletter.Publication{Title: "Bench", URL: "https://example.org"}, p)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// The page about privacy tells of all that the database keeps of a reader.
func TestPrivacyTellsTheSchema(t *testing.T) {
	file := filepath.Join(t.TempDir(), "t.db")
	s, err := store.Open(t.Context(), file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	page := privacy(t, render.Privacy{Mail: true})
	for table, columns := range told {
		got := columnsOf(t, db, table)
		var want []string
		for name, text := range columns {
			want = append(want, name)
			if !strings.Contains(page, text) {
				t.Errorf("the page says nothing of %s.%s: %q", table, name, text)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("columns of %s, of which the page must tell (-told +there):\n%s", table, diff)
		}
	}
}

// It tells of the mail, of the relay and of the way out as they are configured.
func TestPrivacyTellsTheConfig(t *testing.T) {
	const mail, relay, page, letter = "When you get the mail", "smtp.example.net", "one press of a button", "writes a mail to the author"
	const folded = "Who got an issue is kept for "
	for _, tt := range []struct {
		privacy   render.Privacy
		told, not []string
	}{
		{render.Privacy{}, nil, []string{mail, "handed to", page, letter}},
		{render.Privacy{Mail: true, Relay: relay}, []string{mail, relay, page}, []string{letter, folded}},
		{render.Privacy{Mail: true, Months: 24}, []string{folded + "24 months"}, nil},
		{render.Privacy{Mail: true, Months: 1}, []string{folded + "a month"}, nil},
		{render.Privacy{Mail: true, Days: 90}, []string{folded + "90 days"}, nil},
		{render.Privacy{Mail: true, ByMail: true}, []string{mail, letter}, []string{"handed to", page}},
	} {
		text := privacy(t, tt.privacy)
		for _, want := range tt.told {
			if !strings.Contains(text, want) {
				t.Errorf("%+v: the page lacks %q", tt.privacy, want)
			}
		}
		for _, not := range tt.not {
			if strings.Contains(text, not) {
				t.Errorf("%+v: the page holds %q", tt.privacy, not)
			}
		}
	}
}

func columnsOf(t *testing.T, db *sql.DB, table string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT name FROM pragma_table_info(?)", table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		list = append(list, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}
