package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// person is an active subscriber.
func person(name string) newsletter.Subscriber {
	email := name + "@example.com"
	return newsletter.Subscriber{Key: email, Email: email, Name: name, Status: newsletter.SubscriberActive, CreatedAt: at(0)}
}

// addPeople adds the subscribers s1 to sn.
func addPeople(t testing.TB, s *store.Store, n int) {
	t.Helper()
	for from := 1; from <= n; from += 1000 {
		var list []newsletter.Subscriber
		for i := from; i < min(from+1000, n+1); i++ {
			list = append(list, person(fmt.Sprint("s", i)))
		}
		_, err := s.AddSubscribers(t.Context(), list)
		must(t, err)
	}
}

// thread is a thread of one post that says text.
func thread(id, text string) newsletter.Thread {
	return newsletter.Thread{
		ID: id, Slug: id, GUID: "tag:" + id, File: id + ".md", Source: text, Digest: text, Title: id,
		Posts: []newsletter.Post{{Text: text, Line: 1}},
	}
}

// addThreads lets the database see threads for the first time.
func addThreads(t testing.TB, s *store.Store, threads ...newsletter.Thread) {
	t.Helper()
	var list []newsletter.ThreadUpdate
	for _, th := range threads {
		list = append(list, newsletter.ThreadUpdate{Thread: th, Prints: th.Prints(), New: true, Archive: !th.Published.IsZero()})
	}
	must(t, update(t, s, at(0), list...))
}

// update keeps what was decided on all that is known now.
func update(t testing.TB, s *store.Store, now time.Time, list ...newsletter.ThreadUpdate) error {
	t.Helper()
	return s.UpdateThreads(t.Context(), now, got(s.Threads(t.Context()))(t).Stamp, list)
}

func issueOf(number int64, threads ...newsletter.Thread) newsletter.Issue {
	return newsletter.Issue{
		Number: number, Slug: fmt.Sprint("issue-", number), Title: fmt.Sprint("Issue ", number), Subject: "News",
		PublishedAt: at(5), Threads: threads,
	}
}

func slotAt(minute int) *newsletter.Slot {
	return &newsletter.Slot{Key: fmt.Sprint("slot ", minute), Due: at(minute)}
}

var snap = newsletter.Snapshot{Message: []byte("mail"), Sender: "news@example.org", Domain: "example.org", UnsubscribeURL: "https://example.org/u/"}

// publish publishes issue 1 to n subscribers in batches, and lets its mail go.
func publish(t testing.TB, s *store.Store, n, batch int) {
	t.Helper()
	addPeople(t, s, n)
	_, err := s.Publish(t.Context(), issueOf(1), nil, snap, batch)
	must(t, err)
	must(t, s.SiteWritten(t.Context(), []int64{1}))
}

func TestPublish(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		addPeople(t, s, 7)
		left := person("left")
		left.Status = newsletter.SubscriberUnsubscribed
		pending := person("pending")
		pending.Status = newsletter.SubscriberPending
		if _, err := s.AddSubscribers(ctx, []newsletter.Subscriber{left, pending, person("removed")}); err != nil {
			t.Fatal(err)
		}
		removed := got(s.SubscriberByKey(ctx, "removed@example.com"))(t)
		must(t, s.SetSubscriberStatus(ctx, removed.ID, newsletter.SubscriberSuppressed, "asked"))
		// A suppression outlives the status.
		must(t, s.SetSubscriberStatus(ctx, removed.ID, newsletter.SubscriberActive, "mistake"))
		a, b := thread("a", "First."), thread("b", "Second.")
		addThreads(t, s, a, b)

		if n := got(s.NextIssue(ctx))(t); n != 1 {
			t.Fatalf("next issue %d, want 1", n)
		}
		if n := got(s.Publish(ctx, issueOf(1, b, a), slotAt(0), snap, 3))(t); n != 7 {
			t.Errorf("%d recipients, want 7", n)
		}
		if n := got(s.NextIssue(ctx))(t); n != 2 {
			t.Errorf("next issue %d, want 2", n)
		}
		if diff := cmp.Diff(snap, got(s.Snapshot(ctx, 1))(t)); diff != "" {
			t.Error("snapshot:", diff)
		}
		want := issueOf(1)
		want.Slot = "slot 0"
		row := store.IssueRow{Issue: want, Counts: newsletter.Counts{Recipients: 7, Pending: 7}, ThreadIDs: []string{"b", "a"}}
		if diff := cmp.Diff(row, got(s.Issue(ctx, 1))(t)); diff != "" {
			t.Error("issue:", diff)
		}

		if diff := cmp.Diff([]int64{1}, got(s.SiteDue(ctx))(t)); diff != "" {
			t.Error("site due:", diff)
		}
		if open := got(s.OpenBatches(ctx, 10))(t); len(open) > 0 {
			t.Errorf("mail may go before its page is there: %v", open)
		}
		must(t, s.SiteWritten(ctx, []int64{1}))
		if due := got(s.SiteDue(ctx))(t); len(due) > 0 {
			t.Errorf("site due: %v", due)
		}
		var sizes []int
		for _, b := range got(s.OpenBatches(ctx, 10))(t) {
			list := got(s.TakeBatch(ctx, b))(t)
			sizes = append(sizes, len(list))
			for _, d := range list {
				if d.Issue != 1 || d.Batch != b.ID || d.Email == "" || d.Name == "" || !d.FirstAt.IsZero() {
					t.Errorf("delivery %+v", d)
				}
			}
		}
		if diff := cmp.Diff([]int{3, 3, 1}, sizes); diff != "" {
			t.Error("sizes of batches:", diff)
		}
		if open := got(s.OpenBatches(ctx, 2))(t); len(open) != 2 {
			t.Errorf("%d batches, want no more than 2", len(open))
		}
		if known := got(s.Threads(ctx))(t).Threads; known[0].Issue != 1 || !known[0].OutAt.Equal(at(5)) || len(known[0].Sent.String()) == 0 {
			t.Errorf("the thread does not know that it went out: %+v", known[0])
		}
		if _, err := s.Issue(ctx, 9); !errors.Is(err, newsletter.ErrNotFound) {
			t.Errorf("an issue that is not there: %v", err)
		}
	})
}

// TestPublishTaken takes away one thing after the other that an issue needs.
func TestPublishTaken(t *testing.T) {
	for _, tt := range []struct {
		name   string
		number int64
		slot   *newsletter.Slot
		thread string
	}{
		{"slot", 2, slotAt(0), "fresh"},
		{"number", 1, slotAt(1), "fresh"},
		{"thread", 2, slotAt(1), "taken"},
		{"archived thread", 2, slotAt(1), "archived"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, s *store.Store) {
				ctx := t.Context()
				addPeople(t, s, 3)
				addThreads(t, s, thread("taken", "Taken."), thread("fresh", "Fresh."), thread("archived", "Archived."))
				must(t, s.ArchiveThread(ctx, "archived", at(1)))
				_, err := s.Publish(ctx, issueOf(1, thread("taken", "Taken.")), slotAt(0), snap, 2)
				must(t, err)

				other := thread("other", "Other.")
				addThreads(t, s, other)
				_, err = s.Publish(ctx, issueOf(tt.number, other, thread(tt.thread, "Text.")), tt.slot, snap, 2)
				if !errors.Is(err, newsletter.ErrTaken) {
					t.Fatalf("publish: %v, want ErrTaken", err)
				}
				if rows := got(s.Issues(ctx))(t); len(rows) != 1 || rows[0].Recipients != 3 {
					t.Errorf("issues: %+v", rows)
				}
				for _, k := range got(s.Threads(ctx))(t).Threads {
					if k.ID != "taken" && k.Issue != 0 {
						t.Errorf("thread %s went out in issue %d", k.ID, k.Issue)
					}
				}
				// What was not taken is still to be had.
				if _, err := s.Publish(ctx, issueOf(2, other, thread("fresh", "Fresh.")), slotAt(1), snap, 2); err != nil {
					t.Errorf("publish what is left: %v", err)
				}
			})
		})
	}
}

// TestPublishAtOnce has ten publishers at one slot.
func TestPublishAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		addPeople(t, s, 20)
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		ids := make([]string, 10)
		for i := range ids {
			ids[i] = fmt.Sprint("thread-", i)
			addThreads(t, s, thread(ids[i], "Text of "+ids[i]))
		}
		for i, id := range ids {
			wg.Go(func() {
				_, err := s.Publish(t.Context(), issueOf(int64(i+1), thread(id, "Text of "+id)), slotAt(0), snap, 7)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
				} else if !errors.Is(err, newsletter.ErrTaken) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		rows := got(s.Issues(t.Context()))(t)
		if won != 1 || len(rows) != 1 || rows[0].Recipients != 20 {
			t.Errorf("%d won, issues %+v", won, rows)
		}
	})
}

func TestPublishToNobody(t *testing.T) {
	for name, f := range map[string]func(t *testing.T, s *store.Store) newsletter.Snapshot{
		"no message": func(t *testing.T, s *store.Store) newsletter.Snapshot {
			addPeople(t, s, 3)
			return newsletter.Snapshot{}
		},
		"no subscribers": func(*testing.T, *store.Store) newsletter.Snapshot { return snap },
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, s *store.Store) {
				ctx := t.Context()
				if n := got(s.Publish(ctx, issueOf(1), nil, f(t, s), 2))(t); n != 0 {
					t.Errorf("%d recipients", n)
				}
				row := got(s.Issue(ctx, 1))(t)
				if row.Slot != "" || row.Counts != (newsletter.Counts{}) || !row.FinishedAt.Equal(at(5)) {
					t.Errorf("issue %+v", row)
				}
				if due := got(s.SiteDue(ctx))(t); len(due) != 1 {
					t.Error("the issue needs no page?")
				}
				if rows := got(s.UnfinishedIssues(ctx))(t); len(rows) > 0 {
					t.Errorf("unfinished: %+v", rows)
				}
			})
		})
	}
}

func TestThreads(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a, b := thread("a", "First post."), thread("b", "Second post.")
		a.PinnedID = "pin"
		addThreads(t, s, b, a)
		known := got(s.Threads(ctx))(t).Threads
		want := []newsletter.KnownThread{
			{ID: "b", Slug: "b", GUID: "tag:b", File: "b.md", Digest: b.Source, Prints: b.Prints(), ChangedAt: at(0), RewordedAt: at(0), Present: true},
			{ID: "a", Slug: "a", GUID: "tag:a", PinnedID: "pin", File: "a.md", Digest: a.Source, Prints: a.Prints(), ChangedAt: at(0), RewordedAt: at(0), Present: true},
		}
		if diff := cmp.Diff(want, known); diff != "" {
			t.Error("in the order of first sight:", diff)
		}

		// b's file is edited and moves to where a stood.
		edited := b
		edited.File, edited.Source, edited.Digest, edited.Slug, edited.GUID = "a.md", "Second post, edited.", "new", "b-2", "another"
		edited.Posts = []newsletter.Post{{Text: edited.Source, Line: 1}}
		old := got(s.Threads(ctx))(t).Stamp
		must(t, update(t, s, at(3), newsletter.ThreadUpdate{Thread: edited, Prints: edited.Prints(), Edited: true}))
		if err := s.UpdateThreads(ctx, at(3), old, []newsletter.ThreadUpdate{{Thread: a}}); !errors.Is(err, newsletter.ErrTaken) {
			t.Errorf("decided on what is no longer so: %v, want ErrTaken", err)
		}
		want[0] = newsletter.KnownThread{ID: "b", Slug: "b-2", GUID: "tag:b", File: "a.md", Digest: "new", Prints: edited.Prints(), ChangedAt: at(3), RewordedAt: at(0), Present: true}
		want[1].File, want[1].Present = "", false
		if diff := cmp.Diff(want, got(s.Threads(ctx))(t).Threads); diff != "" {
			t.Error("after an edit:", diff)
		}
		edited.Source, edited.Digest = "Second post, reworded.", "newer"
		must(t, update(t, s, at(4), newsletter.ThreadUpdate{Thread: edited, Prints: edited.Prints(), Edited: true, Reworded: true}))
		want[0].Digest, want[0].ChangedAt, want[0].RewordedAt = "newer", at(4), at(4)
		if diff := cmp.Diff(want, got(s.Threads(ctx))(t).Threads); diff != "" {
			t.Error("after its text changed:", diff)
		}
		// a comes back elsewhere, not edited.
		a.File, a.Source, a.Digest = "z.md", "not kept", "not kept"
		must(t, update(t, s, at(4), newsletter.ThreadUpdate{Thread: a}))
		if file, source, err := s.ThreadSource(ctx, "a"); err != nil || file != "z.md" || source != "First post." {
			t.Errorf("source of a: %q %q %v", file, source, err)
		}
		if k := got(s.Threads(ctx))(t).Threads[1]; !k.ChangedAt.Equal(at(0)) || k.Digest != "First post." {
			t.Errorf("moved only: %+v", k)
		}
		if _, _, err := s.ThreadSource(ctx, "nobody"); !errors.Is(err, newsletter.ErrNotFound) {
			t.Errorf("no such thread: %v", err)
		}
		// A decision that cannot be kept changes nothing.
		clash := thread("c", "Third.")
		clash.Slug = "a"
		err := update(t, s, at(5), newsletter.ThreadUpdate{Thread: thread("d", "Fourth."), New: true}, newsletter.ThreadUpdate{Thread: clash, New: true})
		if err == nil || len(got(s.Threads(ctx))(t).Threads) != 2 {
			t.Errorf("two threads with one slug: %v", err)
		}
	})
}

func TestArchiveThread(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		sent, old := thread("sent", "Went out."), thread("old", "Went out elsewhere.")
		said := thread("said", "Says itself that it went out elsewhere.")
		said.Published = at(7)
		addThreads(t, s, sent, old, said)
		_, err := s.Publish(ctx, issueOf(1, sent), nil, snap, 10)
		must(t, err)
		for i, id := range []string{"sent", "old", "old"} {
			must(t, s.ArchiveThread(ctx, id, at(10+i)))
		}
		if err := s.ArchiveThread(ctx, "nobody", at(9)); !errors.Is(err, newsletter.ErrNotFound) {
			t.Errorf("no such thread: %v", err)
		}
		known := got(s.Threads(ctx))(t).Threads
		type state struct {
			Archived bool
			Out      time.Time
		}
		var gotStates []state
		for _, k := range known {
			gotStates = append(gotStates, state{k.Archived, k.OutAt})
		}
		if diff := cmp.Diff([]state{{false, at(5)}, {true, at(11)}, {true, at(7)}}, gotStates); diff != "" {
			t.Error("sent stays as it is, and the first word counts:", diff)
		}
	})
}

// TestCounts counts an issue by its batches, whatever became of them.
func TestCounts(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		publish(t, s, 10, 3)
		batches := got(s.OpenBatches(ctx, 10))(t)
		wantCounts(t, s, newsletter.Counts{Recipients: 10, Pending: 10})
		first := got(s.TakeBatch(ctx, batches[0]))(t)
		end(t, s, newsletter.DeliveryEnd{ID: first[0].ID, State: newsletter.DeliverySent})
		wantCounts(t, s, newsletter.Counts{Recipients: 10, Pending: 9, Sent: 1})
		end(t, s, newsletter.DeliveryEnd{ID: first[1].ID, State: newsletter.DeliveryFailed})
		end(t, s, newsletter.DeliveryEnd{ID: first[2].ID, State: newsletter.DeliveryInDoubt, Doubts: 1})
		must(t, s.CloseBatch(ctx, batches[0]))
		want := newsletter.Counts{Recipients: 10, Pending: 7, Sent: 1, Failed: 1, InDoubt: 1}
		wantCounts(t, s, want)

		if n := got(s.ResolveSkip(ctx, 1))(t); n != 1 {
			t.Errorf("%d were skipped", n)
		}
		want.InDoubt, want.Sent = 0, 2
		wantCounts(t, s, want)
		if n := got(s.Retry(ctx, 1))(t); n != 1 {
			t.Errorf("%d are tried again", n)
		}
		want.Failed, want.Pending = 0, 8
		wantCounts(t, s, want)

		got(s.WithdrawIssue(ctx, 1))(t)
		wantCounts(t, s, newsletter.Counts{Recipients: 10, Sent: 2, Canceled: 8})
	})
}
