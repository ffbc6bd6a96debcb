package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"threadmill/internal/newsletter"
)

// Rehearsal does to a copy what AddRecords would do to the list. The copy is a
// temporary file with those alone who are spoken of.
type Rehearsal struct {
	from, to *Store
	dir      string
}

// Rehearse begins a rehearsal, which the caller closes.
func (s *Store) Rehearse(ctx context.Context) (*Rehearsal, error) {
	dir, err := os.MkdirTemp("", "threadmill-rehearsal-*")
	if err != nil {
		return nil, fmt.Errorf("rehearse: %w", err)
	}
	to, err := openFile(ctx, filepath.Join(dir, "threadmill.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("rehearse: %w", err), os.RemoveAll(dir))
	}
	r := &Rehearsal{from: s, to: to, dir: dir}
	_, err = to.writer.ExecContext(ctx, `PRAGMA synchronous = OFF`) // nobody will need it after a crash
	if err == nil {
		err = r.copyVeil(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("rehearse: %w", err), r.Close())
	}
	return r, nil
}

// Close throws the copy away.
func (r *Rehearsal) Close() error { return errors.Join(r.to.Close(), os.RemoveAll(r.dir)) }

// copyVeil lets the copy know who was forgotten.
func (r *Rehearsal) copyVeil(ctx context.Context) error {
	v, err := veiled(ctx, r.from.reader)
	if err != nil || v == nil {
		return err
	}
	_, err = r.to.writer.ExecContext(ctx, `INSERT INTO keys (purpose, secret, created_at) VALUES ($1, $2, $3)`, KeyForgotten, []byte(v), msNow())
	return err
}

// AddRecords tells what [Store.AddRecords] would, also of those whom the
// rehearsal added before.
func (r *Rehearsal) AddRecords(ctx context.Context, records []newsletter.SubscriberRecord) ([]newsletter.Addition, error) {
	for i := 0; i < len(records); i += addRows {
		if err := r.fetch(ctx, records[i:min(i+addRows, len(records))]); err != nil {
			return nil, fmt.Errorf("rehearse: %w", err)
		}
	}
	return r.to.AddRecords(ctx, records)
}

// fetch copies those of the list who are spoken of.
func (r *Rehearsal) fetch(ctx context.Context, records []newsletter.SubscriberRecord) error {
	look := adder{dialect: r.from.dialect}
	look.forUpdate = ""
	err := r.from.view(ctx, func(tx *sql.Tx) (err error) {
		look.tx = tx
		defer func() { err = errors.Join(err, look.close()) }()
		return look.look(ctx, records)
	})
	if err != nil || len(look.known)+len(look.suppressed) == 0 {
		return err
	}
	return r.to.tx(ctx, func(tx *sql.Tx) error {
		for _, sub := range look.known {
			tags, err := encodeTags(sub.Tags)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO subscribers (key, email, name, status, status_at, tags, created_at)
				VALUES ($1, $2, $3, $4, 0, $5, 0) ON CONFLICT (key) DO NOTHING`, sub.Key, sub.Email, sub.Name, string(sub.Status), tags)
			if err != nil {
				return err
			}
		}
		for key := range look.suppressed {
			_, err := tx.ExecContext(ctx, `INSERT INTO suppressions (key, reason, created_at) VALUES ($1, '', 0) ON CONFLICT (key) DO NOTHING`, key)
			if err != nil {
				return err
			}
		}
		return nil
	})
}
