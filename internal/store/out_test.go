package store_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// TestOutNumber: each thread keeps the place that it got when it went out,
// whatever its date and whatever happens to it later.
func TestOutNumber(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a, b, c, old, waits := thread("a", "A."), thread("b", "B."), thread("c", "C."), thread("old", "Old."), thread("waits", "W.")
		said := thread("said", "Says itself when it went out.")
		said.Published = at(-9000)
		addThreads(t, s, waits, a, old, b, c)
		addPeople(t, s, 1)
		check := func(want string) {
			t.Helper()
			var list []string
			for _, k := range got(s.Threads(ctx))(t).Threads {
				list = append(list, fmt.Sprint(k.ID, ":", k.OutNumber))
			}
			if diff := cmp.Diff(want, strings.Join(list, " ")); diff != "" {
				t.Error(diff)
			}
		}
		check("waits:0 a:0 old:0 b:0 c:0")
		_, err := s.Publish(ctx, issueOf(1, b, a), nil, snap, 10)
		must(t, err)
		check("waits:0 a:2 old:0 b:1 c:0")
		must(t, s.ArchiveThread(ctx, "old", at(-500)))
		must(t, s.ArchiveThread(ctx, "a", at(-500))) // was sent: it stays as it is
		addThreads(t, s, said)
		check("waits:0 a:2 old:3 b:1 c:0 said:4")
		edited := b
		edited.Slug, edited.Digest = "b-2", "new"
		must(t, update(t, s, at(6), newsletter.ThreadUpdate{Thread: edited, Edited: true}))
		_, err = s.Publish(ctx, issueOf(2, c), nil, snap, 10)
		must(t, err)
		check("waits:0 a:2 old:3 b:1 c:5 said:4")
		// Undone, for nothing had left: the next time it is news again.
		if undone := got(s.WithdrawIssue(ctx, 1))(t); !undone {
			t.Error("issue 1 is not undone")
		}
		check("waits:0 a:0 old:3 b:0 c:5 said:4")
		_, err = s.Publish(ctx, issueOf(3, b), nil, snap, 10)
		must(t, err)
		check("waits:0 a:0 old:3 b:6 c:5 said:4")
	})
}
