package store

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/store/pgtest"
)

// A copy has the list and new keys for links, and of the source not a byte
// changes: neither beside a process at work nor after one that was killed.
func TestStage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "threadmill.db")
	s := openHere(t, path)
	stagedFrom(t, s, path)
	killed := filepath.Join(t.TempDir(), "threadmill.db")
	for _, end := range []string{"", "-wal"} {
		if err := os.WriteFile(killed+end, got(os.ReadFile(path+end))(t), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := got(os.ReadFile(killed + "-wal"))(t)
	if len(before) == 0 {
		t.Fatal("nothing in the log of the source")
	}
	wantStaged(t, killed)
	for _, end := range []string{"", "-wal"} {
		if !bytes.Equal(got(os.ReadFile(path+end))(t), got(os.ReadFile(killed+end))(t)) {
			t.Errorf("the source changed: %s", "threadmill.db"+end)
		}
	}
}

func TestStageServer(t *testing.T) {
	t.Parallel()
	address := pgtest.Empty(t)
	stagedFrom(t, openHere(t, address), address)
}

// Where there is no database the copy is a new one, and none appears.
func TestStageNothing(t *testing.T) {
	t.Parallel()
	source := filepath.Join(t.TempDir(), "none.db")
	c := got(Stage(t.Context(), source, filepath.Join(t.TempDir(), "copy.db"), time.Now, slog.New(slog.DiscardHandler)))(t)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(source); !os.IsNotExist(err) {
		t.Errorf("the source: %v", err)
	}
}

func stagedFrom(t *testing.T, s *Store, source string) {
	t.Helper()
	if _, err := s.AddSubscribers(t.Context(), []newsletter.Subscriber{{Email: "ada@example.org", Key: "ada@example.org", Name: "Ada", Status: newsletter.SubscriberActive}}); err != nil {
		t.Fatal(err)
	}
	keys := got(s.Keys(t.Context(), KeyTokens))(t)
	copied := wantStaged(t, source)
	if len(copied) != len(keys) || bytes.Equal(copied[0].Secret, keys[0].Secret) {
		t.Error("the copy has the keys of the source")
	}
}

// wantStaged makes a copy with one subscriber and returns its keys.
func wantStaged(t *testing.T, source string) []Key {
	t.Helper()
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	c := got(Stage(t.Context(), source, filepath.Join(t.TempDir(), "copy.db"), func() time.Time { return at }, slog.New(slog.NewTextHandler(io.Discard, nil))))(t)
	defer c.Close()
	if now := got(c.Now(t.Context()))(t); !now.Equal(at) {
		t.Errorf("the copy's clock says %s", now)
	}
	issue := newsletter.Issue{Number: 1, Title: "One", Slug: "one", PublishedAt: at}
	if n := got(c.Publish(t.Context(), issue, nil, newsletter.Snapshot{Message: []byte("x")}, 500))(t); n != 1 {
		t.Errorf("%d recipients", n)
	}
	if reader := got(c.Enact(t.Context(), 1, at))(t); reader.Email != "ada@example.org" {
		t.Errorf("the sample goes to %q", reader.Email)
	}
	if row := got(c.Issue(t.Context(), 1))(t); row.Sent != 1 || row.Recipients != 1 || row.Pending != 0 {
		t.Errorf("the issue: %+v", row.Counts)
	}
	return got(c.Keys(t.Context(), KeyTokens))(t)
}
