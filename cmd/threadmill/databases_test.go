package main

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"threadmill/internal/store"
	"threadmill/internal/store/pgtest"
)

// emptyPublication is a new PostgreSQL database.
var emptyPublication = pgtest.Template{Make: func(address string) error {
	s, err := store.Open(context.Background(), address, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return s.Close()
}}

// onEach runs a test over every kind of database; it gets the line of the
// config that names a new one.
func onEach(t *testing.T, test func(t *testing.T, database string)) {
	t.Helper()
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, "")
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, fmt.Sprintf("\ndatabase: %q", emptyPublication.Copy(t)))
	})
}
