package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"threadmill/internal/newsletter"
)

// siteChanged counts the publication's revision up, because what the site
// shows changes with tx. It belongs to the end of tx: from then on others who
// change the site wait for it, so that whoever reads a revision sees all that
// it counted. Nodes hear of it with the commit.
func (s *Store) siteChanged(ctx context.Context, tx *sql.Tx) (n int64, err error) {
	err = tx.QueryRowContext(ctx, `INSERT INTO revisions (name, number) VALUES ('site', 1)
		ON CONFLICT (name) DO UPDATE SET number = revisions.number + 1 RETURNING number`).Scan(&n)
	if err == nil && s.notify != "" {
		_, err = tx.ExecContext(ctx, s.notify)
	}
	if err != nil {
		return 0, fmt.Errorf("count the revision up: %w", err)
	}
	return n, nil
}

// Revision is the number of the publication's newest state, which rises with
// each change of what the site shows. What is read after it is at least as new.
func (s *Store) Revision(ctx context.Context) (n int64, err error) {
	if err = s.reader.QueryRowContext(ctx, `SELECT coalesce(max(number), 0) FROM revisions WHERE name = 'site'`).Scan(&n); err != nil {
		return 0, fmt.Errorf("read the revision: %w", err)
	}
	return n, nil
}

// AskRebuild makes everyone who has an output folder write it again, and
// returns the revision that they will have then.
func (s *Store) AskRebuild(ctx context.Context) (n int64, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		n, err = s.siteChanged(ctx, tx)
		return err
	})
	return n, err
}

// SiteState tells how far the site is that is called place; zero where nobody
// wrote it yet.
func (s *Store) SiteState(ctx context.Context, place string) (newsletter.SiteState, error) {
	var state newsletter.SiteState
	err := s.reader.QueryRowContext(ctx, `SELECT revision, tried, failure FROM sites WHERE place = $1`, place).
		Scan(&state.Revision, &state.Tried, &state.Failure)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return newsletter.SiteState{}, fmt.Errorf("read the state of the site: %w", err)
	}
	return state, nil
}

// SiteTried notes that the site called place was to show a revision, and how
// that ended.
func (s *Store) SiteTried(ctx context.Context, place string, revision int64, failure error) error {
	held, text := revision, ""
	if failure != nil {
		held, text = 0, failure.Error()
	}
	_, err := s.exec(ctx, `INSERT INTO sites (place, revision, tried, failure, changed_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (place) DO UPDATE SET tried = excluded.tried, failure = excluded.failure, changed_at = excluded.changed_at,
			revision = CASE WHEN excluded.revision > sites.revision THEN excluded.revision ELSE sites.revision END
		WHERE sites.tried <= excluded.tried`, place, held, revision, text, msNow())
	if err != nil {
		return fmt.Errorf("note the state of the site: %w", err)
	}
	return nil
}

// SiteSeen notes that somebody keeps the site called place up.
func (s *Store) SiteSeen(ctx context.Context, place string) error {
	if _, err := s.exec(ctx, `UPDATE sites SET changed_at = $2 WHERE place = $1`, place, msNow()); err != nil {
		return fmt.Errorf("note that the site is kept up: %w", err)
	}
	return nil
}

// SweepSites forgets the sites that nobody has kept up since before.
func (s *Store) SweepSites(ctx context.Context, before time.Time) error {
	if _, err := s.exec(ctx, `DELETE FROM sites WHERE place <> '' AND changed_at < $1`, ms(before)); err != nil {
		return fmt.Errorf("forget sites: %w", err)
	}
	return nil
}

// SiteInfo is a site as it is listed.
type SiteInfo struct {
	Place   string `json:"place"`             // the machine and its output folder
	Newest  bool   `json:"newest"`            // it shows all that the database holds
	Failure string `json:"failure,omitempty"` // of the last try to write it
}

// seenFor is how long a site counts as kept up after somebody said so.
const seenFor = time.Minute

// Sites returns those of many that are kept up now.
func (s *Store) Sites(ctx context.Context) ([]SiteInfo, error) {
	list := []SiteInfo{}
	err := each(ctx, s.reader, func(rows *sql.Rows) error {
		var i SiteInfo
		err := rows.Scan(&i.Place, &i.Newest, &i.Failure)
		list = append(list, i)
		return err
	}, `SELECT place, revision >= (SELECT coalesce(max(number), 0) FROM revisions WHERE name = 'site'), failure FROM sites
		WHERE place <> '' AND changed_at >= $1 ORDER BY place`, ms(time.Now().Add(-seenFor)))
	if err != nil {
		return nil, fmt.Errorf("read the state of the sites: %w", err)
	}
	return list, nil
}

// RebuildDone tells whether the site called place was to show revision n or a
// later one; that it could not be written is an error.
func (s *Store) RebuildDone(ctx context.Context, place string, n int64) (bool, error) {
	state, err := s.SiteState(ctx, place)
	if err != nil || state.Tried < n {
		return false, err
	}
	if state.Failure != "" {
		return true, errors.New(state.Failure)
	}
	return true, nil
}
