package main

import (
	"testing"

	"threadmill/internal/config"
	"threadmill/internal/store"
)

func TestShareText(t *testing.T) {
	t.Parallel()
	r := store.IssueRow{}
	r.Number, r.Title = 3, "A"
	for _, tt := range []struct {
		n, of int
		most  float64
		want  bool
	}{
		{51, 1000, 5, true},
		{50, 1000, 5, false},
		{2, 1000, 0.1, true},
		{1, 10, 5, false}, // one says nothing
		{9, 10, 0, false},
		{0, 0, 5, false},
	} {
		if got := shareText(r, tt.n, tt.of, config.Share(tt.most)); (got != "") != tt.want {
			t.Errorf("%d of %d with %v%%: %q", tt.n, tt.of, tt.most, got)
		}
	}
}
