package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"threadmill/internal/newsletter"
)

// Certificate returns what was kept under a name; ErrNotFound where nothing was.
func (s *Store) Certificate(ctx context.Context, name string) (content []byte, err error) {
	err = s.reader.QueryRowContext(ctx, `SELECT content FROM certificates WHERE name = $1`, name).Scan(&content)
	if errors.Is(err, sql.ErrNoRows) {
		err = newsletter.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read certificate %s: %w", name, err)
	}
	return content, nil
}

// KeepCertificate keeps a certificate with its key, or another thing that the
// web server needs to have one, in the place of what was there.
func (s *Store) KeepCertificate(ctx context.Context, name string, content []byte) error {
	_, err := s.exec(ctx, `INSERT INTO certificates (name, content, changed_at) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET content = excluded.content, changed_at = excluded.changed_at`, name, content, ms(time.Now()))
	if err != nil {
		return fmt.Errorf("keep certificate %s: %w", name, err)
	}
	return nil
}

// DropCertificate forgets what was kept under a name, if anything.
func (s *Store) DropCertificate(ctx context.Context, name string) error {
	if _, err := s.exec(ctx, `DELETE FROM certificates WHERE name = $1`, name); err != nil {
		return fmt.Errorf("drop certificate %s: %w", name, err)
	}
	return nil
}
