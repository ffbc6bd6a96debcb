package config_test

import (
	"testing"
	"time"

	"threadmill/internal/config"
)

func TestSpanBefore(t *testing.T) {
	at := time.Date(2026, 3, 31, 9, 0, 0, 0, time.UTC)
	for span, want := range map[config.Span]string{
		"24mo": "2024-03-31", "1mo": "2026-03-03", "2y": "2024-03-31", "720h": "2026-03-01",
	} {
		if got := span.Before(at).Format(time.DateOnly); got != want {
			t.Errorf("%s before: %s, want %s", span, got, want)
		}
	}
}
