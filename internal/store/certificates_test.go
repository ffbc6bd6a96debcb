package store_test

import (
	"errors"
	"testing"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

func TestCertificates(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		if _, err := s.Certificate(ctx, "shed.example.org"); !errors.Is(err, newsletter.ErrNotFound) {
			t.Errorf("none: %v", err)
		}
		for _, content := range []string{"first", "\x00second"} {
			must(t, s.KeepCertificate(ctx, "shed.example.org", []byte(content)))
			if kept := got(s.Certificate(ctx, "shed.example.org"))(t); string(kept) != content {
				t.Errorf("got %q, want %q", kept, content)
			}
		}
		for range 2 {
			must(t, s.DropCertificate(ctx, "shed.example.org"))
		}
		if _, err := s.Certificate(ctx, "shed.example.org"); !errors.Is(err, newsletter.ErrNotFound) {
			t.Errorf("dropped: %v", err)
		}
	})
}
