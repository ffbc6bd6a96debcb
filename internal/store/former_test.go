package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// TestFormerSlugs: a slug is kept once its page was public.
func TestFormerSlugs(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		a, b := thread("a", "A."), thread("b", "B.")
		addThreads(t, s, a, b)
		addPeople(t, s, 1)
		rename := func(th newsletter.Thread, slug string) {
			t.Helper()
			th.Slug = slug
			must(t, update(t, s, at(6), newsletter.ThreadUpdate{Thread: th}))
		}
		check := func(want ...[]string) {
			t.Helper()
			var list [][]string
			for _, k := range got(s.Threads(t.Context()))(t).Threads {
				list = append(list, k.FormerSlugs)
			}
			if diff := cmp.Diff(want, list); diff != "" {
				t.Error(diff)
			}
		}
		rename(a, "early") // nobody has seen it
		check(nil, nil)
		_, err := s.Publish(t.Context(), issueOf(1, a), nil, snap, 10)
		must(t, err)
		must(t, s.ArchiveThread(t.Context(), "b", at(-500)))
		rename(a, "early")
		check(nil, nil)
		rename(a, "z")
		rename(a, "later")
		rename(b, "bee")
		check([]string{"early", "z"}, []string{b.Slug})
		rename(a, "early") // back
		check([]string{"later", "z"}, []string{b.Slug})
	})
}

func TestFirstURL(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		for _, url := range []string{"https://first.example", "https://second.example"} {
			if first := got(s.FirstURL(t.Context(), url))(t); first != "https://first.example" {
				t.Errorf("%s: %s", url, first)
			}
		}
	})
}

// TestPublicationID asks for what tells two publications apart.
func TestPublicationID(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		id := got(s.PublicationID(t.Context()))(t)
		if again := got(s.PublicationID(t.Context()))(t); again != id || len(id) < 20 {
			t.Errorf("id = %q, then %q", id, again)
		}
	})
}
