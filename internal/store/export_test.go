package store

import (
	"context"
	"database/sql"
)

// Exec runs a statement that no method stands for.
func (s *Store) Exec(ctx context.Context, query string, args ...any) error {
	_, err := s.exec(ctx, query, args...)
	return err
}

// Welcome welcomes somebody in a transaction of its own.
func (s *Store) Welcome(ctx context.Context, subscriber int64, choice string) error {
	return s.tx(ctx, func(tx *sql.Tx) error { return s.welcome(ctx, tx, subscriber, choice) })
}
