package store_test

import (
	"testing"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

func TestAddLetter(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		a := got(s.AddLetter(t.Context(), newsletter.Letter{Subscriber: 1, Kind: newsletter.LetterConfirm}))(t)
		b := got(s.AddLetter(t.Context(), newsletter.Letter{Subscriber: 1, Kind: newsletter.LetterSilent}))(t)
		if a == 0 || a == b {
			t.Errorf("the letters have the ids %d and %d", a, b)
		}
	})
}
