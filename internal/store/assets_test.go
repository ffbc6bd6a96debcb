package store_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"testing"
	"testing/iotest"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

func picture(size int, of byte) []byte { return bytes.Repeat([]byte{of, 0, 255}, size/3+1)[:size] }

// keepPictures keeps one picture of each content and makes them those of a thread.
func keepPictures(t *testing.T, s *store.Store, thread newsletter.Thread, contents map[string][]byte) {
	t.Helper()
	u := newsletter.ThreadUpdate{Thread: thread, Pictures: true}
	for name, content := range contents {
		digest := got(s.KeepAsset(t.Context(), "image/png", content))(t)
		u.Assets = append(u.Assets, newsletter.Asset{Name: name, Digest: digest})
	}
	must(t, update(t, s, at(1), u))
}

func TestAssets(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := newsletter.Thread{ID: "a", Slug: "a", GUID: "tag:a", File: "a.md", Source: "A post."}
		addThreads(t, s, a)
		contents := map[string][]byte{"big.png": picture(2<<20+7, 1), "same.png": picture(2<<20+7, 1), "none.png": {}, "part.png": picture(512<<10, 2)}
		keepPictures(t, s, a, contents)
		for name, want := range contents {
			r, digest, err := s.OpenAsset(ctx, "a", name)
			if err != nil {
				t.Fatal(err)
			}
			if err := iotest.TestReader(r, want); err != nil || len(digest) != 64 {
				t.Errorf("%s, %s: %v", name, digest, err)
			}
			must(t, r.Close())
		}
		if _, _, err := s.OpenAsset(ctx, "a", "gone.png"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a picture that is not there: %v", err)
		}
		if list := got(s.ThreadAssets(ctx))(t); len(list["a"]) != 4 || list["a"][0].Size != 2<<20+7 {
			t.Errorf("pictures %+v", list)
		}
		if _, err := s.KeepAsset(ctx, "image/png", make([]byte, newsletter.AssetMax+1)); err == nil {
			t.Error("a picture of more than 10 MB was kept")
		}
		if err := update(t, s, at(2), newsletter.ThreadUpdate{Thread: a, Pictures: true, Assets: []newsletter.Asset{{Name: "x", Digest: "nothing"}}}); !errors.Is(err, newsletter.ErrTaken) {
			t.Errorf("a picture that is not kept: %v, want ErrTaken", err)
		}
	})
}

// What no thread uses goes after a while, and what somebody wants again stays.
func TestSweepAssets(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := newsletter.Thread{ID: "a", Slug: "a", GUID: "tag:a", File: "a.md", Source: "A post."}
		addThreads(t, s, a)
		old, used := picture(2<<20, 1), picture(10, 2)
		keepPictures(t, s, a, map[string][]byte{"old.png": old, "used.png": used})
		soon := time.Now().Add(time.Minute)
		if n := got(s.SweepAssets(ctx, soon))(t); n != 0 {
			t.Errorf("%d pictures in use were removed", n)
		}
		keepPictures(t, s, a, map[string][]byte{"used.png": used})
		if n := got(s.SweepAssets(ctx, time.Now().Add(-time.Minute)))(t); n != 0 {
			t.Errorf("%d pictures were removed at once", n)
		}
		if n := got(s.SweepAssets(ctx, soon))(t); n != 1 {
			t.Errorf("%d pictures were removed, want the one that is not used", n)
		}
		keepPictures(t, s, a, map[string][]byte{"old.png": old, "used.png": used}) // it is back
		r, _, err := s.OpenAsset(ctx, "a", "old.png")
		if err != nil {
			t.Fatal(err)
		}
		if back, err := io.ReadAll(r); err != nil || !bytes.Equal(back, old) {
			t.Errorf("%d bytes came back (%v), want %d", len(back), err, len(old))
		}
		// A thread whose file is gone keeps its pictures only when it went out.
		must(t, update(t, s, at(3), newsletter.ThreadUpdate{Thread: a, Gone: true}))
		if n := got(s.SweepAssets(ctx, soon))(t); n != 2 {
			t.Errorf("%d pictures of a thread that is gone were removed, want both", n)
		}
		b := newsletter.Thread{ID: "b", Slug: "b", GUID: "tag:b", File: "b.md", Source: "B post."}
		addThreads(t, s, b)
		keepPictures(t, s, b, map[string][]byte{"used.png": used})
		must(t, s.ArchiveThread(ctx, "b", at(4)))
		must(t, update(t, s, at(5), newsletter.ThreadUpdate{Thread: b, Gone: true}))
		if n := got(s.SweepAssets(ctx, soon))(t); n != 0 {
			t.Errorf("%d pictures of a thread that is out were removed", n)
		}
	})
}
