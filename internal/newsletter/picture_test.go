package newsletter_test

import (
	"testing"

	"threadmill/internal/newsletter"
)

func TestImmutable(t *testing.T) {
	for name, want := range map[string]bool{
		"threads/a/photo-0123456789abcdef-1200w.jpg":      true,
		"threads/a/deep/my photo-0123456789abcdef-7w.png": true,
		"threads/a/plan-0123456789abcdef-asis.svg":        true,
		"threads/a/photo.jpg":                             false,
		"threads/a/photo-0123456789abcdef.jpg":            false,
		"threads/a/photo-0123456789abcdeg-1200w.jpg":      false,
		"threads/a/photo-0123456789abcdef-1200w.jpg.gz":   false,
		"threads/photo-0123456789abcdef-1200w.jpg":        false,
		"photo-0123456789abcdef-1200w.jpg":                false,
		"threads/a-0123456789abcdef-1200w.jpg/index.html": false,
		"": false,
	} {
		if got := newsletter.Immutable(name); got != want {
			t.Errorf("Immutable(%q) = %v", name, got)
		}
	}
}
