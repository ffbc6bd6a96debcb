package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"threadmill/internal/newsletter"
)

// Key is a secret that the publication made for itself.
type Key struct {
	ID     int64
	Secret []byte
}

// The purposes of keys.
const (
	KeyTokens     = "token"      // signs the links in mails; may be rotated
	KeyMessageIDs = "message-id" // makes Message-IDs; never rotates
	KeyCalendar   = "calendar"   // signs the address of the calendar; made when that is asked for
)

// createKeys makes the keys of a new publication, unless another process did.
func (s *Store) createKeys(ctx context.Context) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.alone(ctx, tx, aloneKeys); err != nil {
			return err
		}
		for _, purpose := range []string{KeyTokens, KeyMessageIDs} {
			secret := make([]byte, 32)
			_, _ = rand.Read(secret) // never fails
			_, err := tx.ExecContext(ctx, `INSERT INTO keys (purpose, secret, created_at)
				SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT 1 FROM keys WHERE purpose = $1)`,
				purpose, secret, ms(time.Now()))
			if err != nil {
				return fmt.Errorf("create %s key: %w", purpose, err)
			}
		}
		return nil
	})
}

// Keys returns the keys of a purpose, the newest first; there is always one.
func (s *Store) Keys(ctx context.Context, purpose string) ([]Key, error) {
	var keys []Key
	err := each(ctx, s.reader, func(rows *sql.Rows) error {
		var k Key
		if err := rows.Scan(&k.ID, &k.Secret); err != nil {
			return err
		}
		keys = append(keys, k)
		return nil
	}, `SELECT id, secret FROM keys WHERE purpose = $1 ORDER BY id DESC`, purpose)
	if err == nil && len(keys) == 0 {
		err = errors.New("none is there; the database is damaged")
	}
	if err != nil {
		return nil, fmt.Errorf("read %s keys: %w", purpose, err)
	}
	return keys, nil
}

// CalendarKey is the key of the calendar's address; ErrNotFound while nobody has
// asked for one.
func (s *Store) CalendarKey(ctx context.Context) (Key, error) {
	var k Key
	err := s.reader.QueryRowContext(ctx, `SELECT id, secret FROM keys WHERE purpose = $1 ORDER BY id DESC LIMIT 1`, KeyCalendar).Scan(&k.ID, &k.Secret)
	if errors.Is(err, sql.ErrNoRows) {
		err = newsletter.ErrNotFound
	}
	if err != nil {
		return Key{}, fmt.Errorf("read the key of the calendar: %w", err)
	}
	return k, nil
}

// MakeCalendarKey makes the key of the calendar's address where there is none
// or, anew, another one in its place: no address from before holds then.
func (s *Store) MakeCalendarKey(ctx context.Context, anew bool) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.alone(ctx, tx, aloneKeys); err != nil {
			return err
		}
		if anew {
			if _, err := tx.ExecContext(ctx, `DELETE FROM keys WHERE purpose = $1`, KeyCalendar); err != nil {
				return err
			}
		}
		secret := make([]byte, 32)
		_, _ = rand.Read(secret) // never fails
		_, err := tx.ExecContext(ctx, `INSERT INTO keys (purpose, secret, created_at)
			SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT 1 FROM keys WHERE purpose = $1)`, KeyCalendar, secret, ms(time.Now()))
		return err
	})
	if err != nil {
		return fmt.Errorf("make the key of the calendar: %w", err)
	}
	return nil
}

// setting reads the JSON value called name into v; what is not set leaves v.
func setting(ctx context.Context, q queryer, name string, v any) error {
	var text string
	err := q.QueryRowContext(ctx, `SELECT value FROM settings WHERE name = $1`, name).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), v)
	}
	if err != nil {
		return fmt.Errorf("read setting %s: %w", name, err)
	}
	return nil
}

func setSetting(ctx context.Context, tx *sql.Tx, name string, v any) error {
	text, err := json.Marshal(v)
	if err == nil {
		_, err = tx.ExecContext(ctx, `INSERT INTO settings (name, value) VALUES ($1, $2)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, string(text))
	}
	if err != nil {
		return fmt.Errorf("write setting %s: %w", name, err)
	}
	return nil
}

// settingFirstURL is the address of which the ids of the feeds are made.
const settingFirstURL = "first_url"

// FirstURL is the address that the publication had when this was asked first;
// from then on it is kept, whatever url is.
func (s *Store) FirstURL(ctx context.Context, url string) (string, error) {
	first, err := s.settingOnce(ctx, settingFirstURL, url)
	if err != nil {
		return "", fmt.Errorf("keep the first address of the publication: %w", err)
	}
	return first, nil
}

// settingOnce is the text of a setting, which is set to value if nobody has set
// it before.
func (s *Store) settingOnce(ctx context.Context, name, value string) (kept string, err error) {
	if err := setting(ctx, s.reader, name, &kept); err != nil || kept != "" {
		return kept, err
	}
	err = s.tx(ctx, func(tx *sql.Tx) error {
		text, err := json.Marshal(value)
		if err == nil {
			_, err = tx.ExecContext(ctx, `INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, name, string(text))
		}
		if err != nil {
			return err
		}
		return setting(ctx, tx, name, &kept)
	})
	return kept, err
}

// settingPublication is what tells the publication from all others.
const settingPublication = "publication"

// PublicationID is a word that tells the publication from all others. It is made
// when it is first asked for, and goes with the database from then on.
func (s *Store) PublicationID(ctx context.Context) (string, error) {
	id, err := s.settingOnce(ctx, settingPublication, newWord())
	if err != nil {
		return "", fmt.Errorf("keep the id of the publication: %w", err)
	}
	return id, nil
}

const settingServed = "served"

// Served tells whether a web server of this program has served the publication.
func (s *Store) Served(ctx context.Context) (served bool, err error) {
	err = setting(ctx, s.reader, settingServed, &served)
	return served, err
}

// NoteServed notes that one does now, which the pages tell: they are due to be
// written again.
func (s *Store) NoteServed(ctx context.Context) error {
	err := s.tx(ctx, func(tx *sql.Tx) error { return setSetting(ctx, tx, settingServed, true) })
	if err == nil {
		_, err = s.AskRebuild(ctx)
	}
	return err
}

// settingAfterSite tells whether the hook after the site is due.
const settingAfterSite = "after_site_due"

// AfterSiteDue tells whether the site may have changed since the hook after it
// ended well, if ever it did.
func (s *Store) AfterSiteDue(ctx context.Context) (bool, error) {
	due := true
	err := setting(ctx, s.reader, settingAfterSite, &due)
	return due, err
}

// SetAfterSiteDue notes whether it may.
func (s *Store) SetAfterSiteDue(ctx context.Context, due bool) error {
	return s.tx(ctx, func(tx *sql.Tx) error { return setSetting(ctx, tx, settingAfterSite, due) })
}

// Warning is a fault that stands in the operator's way until it is over.
type Warning = newsletter.Alert

// Warn notes a fault; a fault of the same kind keeps its time.
func (s *Store) Warn(ctx context.Context, kind, text string) error {
	_, err := s.exec(ctx, `INSERT INTO warnings (kind, text, since_at) VALUES ($1, $2, $3)
		ON CONFLICT (kind) DO UPDATE SET text = excluded.text`, kind, plain(text), ms(time.Now()))
	if err != nil {
		return fmt.Errorf("note warning %s: %w", kind, err)
	}
	return nil
}

// Unwarn says that the fault of a kind is over.
func (s *Store) Unwarn(ctx context.Context, kind string) error {
	var n int
	err := s.reader.QueryRowContext(ctx, `SELECT count(*) FROM warnings WHERE kind = $1`, kind).Scan(&n)
	if err == nil && n > 0 {
		_, err = s.exec(ctx, `DELETE FROM warnings WHERE kind = $1`, kind)
	}
	if err != nil {
		return fmt.Errorf("clear warning %s: %w", kind, err)
	}
	return nil
}

// What a warning says of a hold, and of an issue that cannot be sent.
const (
	heldText  = `CASE domain WHEN '' THEN 'all mail' ELSE 'mail to ' || domain END || ' is held: ' || reason`
	faultText = `'the mail of issue ' || issue || ' is stopped: ' || fault`
)

// Warnings returns the faults that stand, the oldest first, with the holds
// that somebody may have to look into: a quota opens by itself.
func (s *Store) Warnings(ctx context.Context) ([]Warning, error) {
	var list []Warning
	err := each(ctx, s.reader, func(rows *sql.Rows) error {
		var w Warning
		var since sql.NullInt64
		if err := rows.Scan(&w.Kind, &w.Text, &since); err != nil {
			return err
		}
		w.Since = timeOf(since)
		list = append(list, w)
		return nil
	}, `SELECT kind, text, since_at FROM warnings
		UNION ALL SELECT '`+newsletter.WarningHeld+`', `+heldText+`, since_at FROM holds WHERE kind <> 'quota' AND NOT lifted
		UNION ALL SELECT '`+newsletter.WarningMessage+`', `+faultText+`, held_at FROM issue_holds WHERE fault <> '' AND NOT withdrawn
		ORDER BY 3, 1, 2`)
	if err != nil {
		return nil, fmt.Errorf("read warnings: %w", err)
	}
	return list, nil
}
