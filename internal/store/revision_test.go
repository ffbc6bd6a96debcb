package store_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// Whatever the site shows counts the revision up; what it does not show leaves
// it.
func TestRevision(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		last := got(s.Revision(ctx))(t)
		if last != 0 {
			t.Errorf("a new publication has revision %d", last)
		}
		rises := func(what string, want bool) {
			t.Helper()
			now := got(s.Revision(ctx))(t)
			if (now > last) != want {
				t.Errorf("%s: revision %d after %d", what, now, last)
			}
			last = now
		}
		a := newsletter.Thread{ID: "a", Slug: "a", GUID: "tag:a", File: "a.md", Source: "A post."}
		b := newsletter.Thread{ID: "b", Slug: "b", GUID: "tag:b", File: "b.md", Source: "B post."}
		addThreads(t, s, a, b)
		rises("new threads", true)
		must(t, s.ArchiveThread(ctx, "b", at(1)))
		rises("archived", true)
		got(s.Publish(ctx, issueOf(1, a), nil, newsletter.Snapshot{}, 10))(t)
		rises("published", true)
		got(s.WithdrawIssue(ctx, 1))(t)
		rises("withdrawn", true)
		must(t, s.KeepFolder(ctx, newsletter.Folder{Queue: []string{"a"}}))
		must(t, s.Warn(ctx, "x", "y"))
		rises("queue and warning", false)
	})
}

func TestSiteState(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if _, err := s.AskRebuild(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := got(s.Revision(ctx))(t); n != 5 {
			t.Fatalf("revision %d after five requests", n)
		}
		state := func(place string, want newsletter.SiteState) {
			t.Helper()
			if diff := cmp.Diff(want, got(s.SiteState(ctx, place))(t)); diff != "" {
				t.Error(diff)
			}
		}
		state("one", newsletter.SiteState{})
		must(t, s.SiteTried(ctx, "one", 4, nil))
		must(t, s.SiteTried(ctx, "two", 5, nil))
		if done := got(s.RebuildDone(ctx, "one", 4))(t); !done {
			t.Error("4 is not done")
		}
		if done := got(s.RebuildDone(ctx, "one", 5))(t); done {
			t.Error("5 is done on one, not only on two")
		}
		must(t, s.SiteTried(ctx, "one", 5, errors.New("disk full")))
		if done, err := s.RebuildDone(ctx, "one", 5); !done || err == nil || err.Error() != "disk full" {
			t.Errorf("done %v, %v; want the error", done, err)
		}
		state("one", newsletter.SiteState{Revision: 4, Tried: 5, Failure: "disk full"})
		must(t, s.SiteTried(ctx, "one", 3, nil)) // a late answer
		state("one", newsletter.SiteState{Revision: 4, Tried: 5, Failure: "disk full"})
		must(t, s.SiteTried(ctx, "one", 5, nil))
		state("one", newsletter.SiteState{Revision: 5, Tried: 5})
		state("two", newsletter.SiteState{Revision: 5, Tried: 5})
	})
}

// Of the folders of many nodes those are listed that somebody keeps up.
func TestSites(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		revision := got(s.AskRebuild(ctx))(t)
		must(t, s.SiteTried(ctx, "", revision, nil)) // the only one of a file
		must(t, s.SiteTried(ctx, "a:/public", revision, nil))
		must(t, s.SiteTried(ctx, "b:/public", revision, errors.New("disk full")))
		must(t, s.SiteSeen(ctx, "c:/public")) // not tried yet
		listed := func(want ...store.SiteInfo) {
			t.Helper()
			if diff := cmp.Diff(want, got(s.Sites(ctx))(t), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		}
		a, b := store.SiteInfo{Place: "a:/public", Newest: true}, store.SiteInfo{Place: "b:/public", Failure: "disk full"}
		listed(a, b)
		got(s.AskRebuild(ctx))(t)
		a.Newest = false
		listed(a, b)
		must(t, s.SweepSites(ctx, time.Now().Add(-time.Minute)))
		listed(a, b)
		must(t, s.SweepSites(ctx, time.Now().Add(time.Minute)))
		listed()
		if state := got(s.SiteState(ctx, ""))(t); state.Revision != revision {
			t.Errorf("the only site of a file is forgotten: %+v", state)
		}
	})
}
