package store_test

import (
	"path/filepath"
	"testing"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// TestMark: numbers of issues go on after those of a site that was accepted, which
// also tells a database without issues who the publication is.
func TestMark(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		own, accepted, err := s.Mark(ctx)
		must(t, err)
		if own.Publication == "" || own.Instance == "" || own.Issue != 0 || accepted != (newsletter.Mark{}) {
			t.Errorf("new: %+v, %+v", own, accepted)
		}
		site := newsletter.Mark{Publication: "p", Instance: "i", Issue: 7, PublishedAt: at(0)}
		must(t, s.Accept(ctx, site))
		own, accepted, err = s.Mark(ctx)
		must(t, err)
		if own.Publication != "p" || own.Instance == "i" || own.Issue != 7 || !own.PublishedAt.Equal(at(0)) || accepted.Issue != 7 {
			t.Errorf("accepted: %+v, %+v", own, accepted)
		}
		if n := got(s.NextIssue(ctx))(t); n != 8 {
			t.Errorf("issue %d is next", n)
		}
		must(t, s.Accept(ctx, newsletter.Mark{Publication: "q", Instance: "j", Issue: 2}))
		must(t, s.TakeOver(ctx))
		over, _, err := s.Mark(ctx)
		must(t, err)
		if over.Instance == own.Instance || over.Issue != 7 {
			t.Errorf("taken over: %+v after %+v", over, own)
		}
	})
}

// TestRecoverThreads marks threads as gone out, with the names that readers know.
func TestRecoverThreads(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		addThreads(t, s, thread("a", "one"), thread("b", "two"), thread("c", "three"))
		shown := func(guid, slug string, minute int) newsletter.Shown {
			return newsletter.Shown{GUID: guid, URL: "https://e.example/threads/" + slug + "/", PublishedAt: at(minute)}
		}
		list := []newsletter.Recovered{{ID: "b", Shown: shown("tag:old", "older", 1)}, {ID: "a", Shown: shown("tag:c", "c", 2)}}
		for _, want := range []int{2, 0} {
			if n := got(s.RecoverThreads(t.Context(), list))(t); n != want {
				t.Errorf("%d are marked, want %d", n, want)
			}
		}
		known := got(s.Threads(t.Context()))(t).Threads
		a, b := known[0], known[1]
		if !b.Archived || b.GUID != "tag:old" || b.Slug != "older" || b.OutNumber != 1 || !b.OutAt.Equal(at(1)) {
			t.Errorf("b: %+v", b)
		}
		if !a.Archived || a.Slug == "c" || a.OutNumber != 2 || known[2].Archived {
			t.Errorf("a: %+v, c: %+v", a, known[2])
		}
	})
}

// TestRestore: what was to leave is in doubt, and all is held until it is released.
func TestRestore(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		publish(t, s, 3, 2)
		before, _, err := s.Mark(ctx)
		must(t, err)
		if n := got(s.Restore(ctx, at(5)))(t); n != 3 {
			t.Errorf("%d in doubt", n)
		}
		wantCounts(t, s, newsletter.Counts{Recipients: 3, InDoubt: 3})
		after, _, err := s.Mark(ctx)
		must(t, err)
		if pause := got(s.Pause(ctx))(t); !pause.Sending || !pause.Since.Equal(at(5)) || after.Instance == before.Instance || after.Issue != 1 {
			t.Errorf("%+v, %+v", pause, after)
		}
		if held := got(s.Restored(ctx))(t); !held.Equal(at(5)) {
			t.Errorf("held since %v", held)
		}
		must(t, s.Release(ctx))
		if held := got(s.Restored(ctx))(t); !held.IsZero() {
			t.Errorf("held since %v", held)
		}
		if n := got(s.ResolveSkip(ctx, 1))(t); n != 3 {
			t.Errorf("%d are settled", n)
		}
	})
}

// TestBackupPlain: the copy has no key that signs links until it is restored.
func TestBackupPlain(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "a.db"))
	kept := got(s.Keys(t.Context(), store.KeyMessageIDs))(t)[0]
	must(t, s.BackupPlain(t.Context(), filepath.Join(dir, "b.db")))
	if left, err := filepath.Glob(filepath.Join(dir, "b.db.*")); err != nil || len(left) > 0 {
		t.Errorf("%v is left: %v", left, err)
	}
	b := open(t, filepath.Join(dir, "b.db"))
	if _, err := b.Keys(t.Context(), store.KeyTokens); err == nil {
		t.Error("the copy has a key of links")
	}
	got(b.Restore(t.Context(), at(0)))(t)
	if _, err := b.Keys(t.Context(), store.KeyTokens); err != nil {
		t.Error(err)
	}
	if again := got(b.Keys(t.Context(), store.KeyMessageIDs))(t)[0]; string(again.Secret) != string(kept.Secret) {
		t.Error("Message-IDs change")
	}
}
