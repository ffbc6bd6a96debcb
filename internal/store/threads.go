package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"threadmill/internal/newsletter"
)

// Threads returns what is known of every thread ever seen.
func (s *Store) Threads(ctx context.Context) (newsletter.Known, error) {
	var known newsletter.Known
	err := s.view(ctx, func(tx *sql.Tx) error {
		var err error
		if known.Threads, err = threads(ctx, tx); err != nil {
			return err
		}
		known.Stamp, err = threadStamp(ctx, tx)
		return err
	})
	return known, err
}

// threadStamp changes with everything that identities are decided on.
func threadStamp(ctx context.Context, q queryer) (string, error) {
	var seen, revisions, out, archived int64
	err := q.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(revision), 0), count(archived_at),
		(SELECT count(*) FROM issue_threads) FROM threads`).Scan(&seen, &revisions, &archived, &out)
	if err != nil {
		return "", fmt.Errorf("read known threads: %w", err)
	}
	return fmt.Sprint(seen, revisions, archived, out), nil
}

func threads(ctx context.Context, q queryer) ([]newsletter.KnownThread, error) {
	var list []newsletter.KnownThread
	err := each(ctx, q, func(rows *sql.Rows) error {
		var k newsletter.KnownThread
		var prints, sent string
		var issue, published, archived, withdrawn, changed, out, recipients, reworded sql.NullInt64
		err := rows.Scan(&k.ID, &k.Slug, &k.GUID, &k.PinnedID, &k.File, &k.Present, &k.Digest, &prints, &changed,
			&archived, &withdrawn, &out, &issue, &published, &sent, &k.SentDigest, &recipients, &reworded)
		if err != nil {
			return err
		}
		k.Issue, k.OutNumber = issue.Int64, out.Int64
		k.OutAt = timeOf(published)
		k.Archived, k.Withdrawn = archived.Valid, withdrawn.Valid
		if k.Issue == 0 {
			k.OutAt = timeOf(archived)
		}
		k.ChangedAt, k.RewordedAt, k.Mailed = timeOf(changed), timeOf(reworded), recipients.Int64 > 0
		var perr, serr error
		k.Prints, perr = newsletter.ParsePrints(prints)
		k.Sent, serr = newsletter.ParsePrints(sent)
		list = append(list, k)
		return errors.Join(perr, serr)
	}, `SELECT t.id, t.slug, t.guid, t.pinned_id, t.file, t.present, t.digest, t.prints, t.changed_at,
			t.archived_at, t.withdrawn_at, t.out_number, i.number, i.published_at, coalesce(it.prints, ''),
			coalesce(it.digest, ''), i.recipients, coalesce(t.reworded_at, t.changed_at)
		FROM threads t
		LEFT JOIN issue_threads it ON it.thread = t.id
		LEFT JOIN issues i ON i.number = it.issue
		ORDER BY t.number`)
	if err == nil {
		err = formerSlugs(ctx, q, list)
	}
	if err != nil {
		return nil, fmt.Errorf("read known threads: %w", err)
	}
	return list, nil
}

// formerSlugs fills in the slugs that threads had before.
func formerSlugs(ctx context.Context, q queryer, list []newsletter.KnownThread) error {
	var at map[string]int
	return each(ctx, q, func(rows *sql.Rows) error {
		if at == nil { // of most publications there are none
			at = make(map[string]int, len(list))
			for i := range list {
				at[list[i].ID] = i
			}
		}
		var slug, id string
		err := rows.Scan(&slug, &id)
		if i, ok := at[id]; ok {
			list[i].FormerSlugs = append(list[i].FormerSlugs, slug)
		}
		return err
	}, `SELECT slug, thread FROM former_slugs ORDER BY slug`)
}

// keepSlug notes the slug of a thread that is out and gets another one.
func keepSlug(ctx context.Context, tx *sql.Tx, u newsletter.ThreadUpdate) error {
	res, err := tx.ExecContext(ctx, `INSERT INTO former_slugs (slug, thread) SELECT t.slug, t.id FROM threads t
		WHERE t.id = $1 AND t.slug <> $2 AND (t.archived_at IS NOT NULL OR EXISTS (SELECT 1 FROM issue_threads it WHERE it.thread = t.id))
		ON CONFLICT (slug) DO UPDATE SET thread = excluded.thread`, u.ID, u.Slug)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM former_slugs WHERE slug = $1`, u.Slug)
	return err
}

// UpdateThreads keeps new and changed threads in one transaction. They were
// decided on what had the given stamp; when that changed meanwhile it is
// ErrTaken, and nothing is kept.
func (s *Store) UpdateThreads(ctx context.Context, now time.Time, stamp string, updates []newsletter.ThreadUpdate) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.alone(ctx, tx, aloneThreads); err != nil {
			return err
		}
		current, err := threadStamp(ctx, tx)
		if err != nil {
			return err
		}
		if current != stamp {
			return fmt.Errorf("keep threads: %w", newsletter.ErrTaken)
		}
		places, err := threadFiles(ctx, tx)
		if err != nil {
			return err
		}
		for _, u := range updates {
			if err := updateThread(ctx, tx, u, places, now); err != nil {
				return fmt.Errorf("keep thread %s: %w", u.ID, err)
			}
		}
		if slices.ContainsFunc(updates, func(u newsletter.ThreadUpdate) bool { return u.Archive }) {
			if err := numberOut(ctx, tx); err != nil {
				return err
			}
		}
		_, err = s.siteChanged(ctx, tx)
		return err
	})
}

// places tell which thread is known to stand in which file.
type places map[string]string

// threadFiles are the places of all threads. They are read at once: to look
// for the thread of each of thousands of files is to read the whole table as
// often.
func threadFiles(ctx context.Context, tx *sql.Tx) (places, error) {
	list := places{}
	err := each(ctx, tx, func(rows *sql.Rows) error {
		var id, file string
		err := rows.Scan(&id, &file)
		list[file] = id
		return err
	}, `SELECT id, file FROM threads WHERE file <> ''`)
	return list, err
}

func updateThread(ctx context.Context, tx *sql.Tx, u newsletter.ThreadUpdate, at places, now time.Time) error {
	if u.Gone {
		return threadGone(ctx, tx, u.ID)
	}
	if id, held := at[u.File]; held && id != u.ID {
		_, err := tx.ExecContext(ctx, `UPDATE threads SET file = '', present = FALSE, revision = revision + 1
			WHERE file = $1 AND id <> $2`, u.File, u.ID)
		if err != nil {
			return err
		}
	}
	at[u.File] = u.ID
	if err := writeThread(ctx, tx, u, now); err != nil || !u.Pictures {
		return err
	}
	return setThreadAssets(ctx, tx, u.ID, u.Assets)
}

// threadGone notes that no file holds a thread any more. One that went out
// stays online, with its pictures; for another they wait for the sweep.
func threadGone(ctx context.Context, tx *sql.Tx, id string) error {
	_, err := tx.ExecContext(ctx, `UPDATE threads SET present = FALSE, revision = revision + 1 WHERE id = $1`, id)
	if err != nil {
		return err
	}
	var out bool
	err = tx.QueryRowContext(ctx, `SELECT archived_at IS NOT NULL OR EXISTS (SELECT 1 FROM issue_threads it WHERE it.thread = threads.id)
		FROM threads WHERE id = $1`, id).Scan(&out)
	if err != nil || out {
		return err
	}
	return setThreadAssets(ctx, tx, id, nil)
}

func writeThread(ctx context.Context, tx *sql.Tx, u newsletter.ThreadUpdate, now time.Time) error {
	archived := sql.NullInt64{Int64: ms(u.Published), Valid: u.Archive}
	if u.New {
		_, err := tx.ExecContext(ctx, `INSERT INTO threads (id, slug, guid, pinned_id, file, source, digest, prints, archived_at, first_seen_at, changed_at, reworded_at, present)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $10, TRUE)`,
			u.ID, u.Slug, u.GUID, u.PinnedID, u.File, plain(u.Source), u.Digest, u.Prints.String(), archived, ms(now))
		return err
	}
	if err := keepSlug(ctx, tx, u); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE threads SET slug = $2, pinned_id = $3, file = $4, archived_at = coalesce(archived_at, $5),
			present = TRUE, revision = revision + 1 WHERE id = $1`,
		u.ID, u.Slug, u.PinnedID, u.File, archived)
	if err != nil || !u.Edited {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE threads SET source = $2, digest = $3, prints = $4, changed_at = $5,
			reworded_at = CASE WHEN $6 THEN $5 ELSE coalesce(reworded_at, changed_at) END WHERE id = $1`,
		u.ID, plain(u.Source), u.Digest, u.Prints.String(), ms(now), u.Reworded)
	return err
}

// Kept returns what is known of threads, and the folder as it was last kept,
// both of one moment. Of a thread in the folder only ID, File and Source are
// set.
func (s *Store) Kept(ctx context.Context) (known newsletter.Known, folder newsletter.Folder, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		if known.Threads, err = threads(ctx, tx); err != nil {
			return err
		}
		var facts folderFacts
		if err := setting(ctx, tx, settingFolder, &facts); err != nil {
			return err
		}
		folder = newsletter.Folder{Label: facts.Label, Queue: facts.Queue, Problems: facts.Problems}
		return each(ctx, tx, func(rows *sql.Rows) error {
			var t newsletter.Thread
			err := rows.Scan(&t.ID, &t.File, &t.Source)
			folder.Threads = append(folder.Threads, t)
			return err
		}, `SELECT id, file, source FROM threads WHERE present ORDER BY number`)
	})
	if err != nil {
		return newsletter.Known{}, newsletter.Folder{}, fmt.Errorf("read the threads: %w", err)
	}
	return known, folder, nil
}

// folderFacts are what the threads folder tells besides its threads.
type folderFacts struct {
	Label    string               `json:"label"`
	Queue    []string             `json:"queue,omitempty"`
	Problems []newsletter.Problem `json:"problems,omitempty"`
}

const settingFolder = "folder"

// KeepFolder keeps the queue of the threads folder and its problems. It writes
// nothing when they are the same.
func (s *Store) KeepFolder(ctx context.Context, f newsletter.Folder) error {
	facts := folderFacts{f.Label, f.Queue, f.Problems}
	var old folderFacts
	if err := setting(ctx, s.reader, settingFolder, &old); err != nil {
		return err
	}
	if old.Label == facts.Label && slices.Equal(old.Queue, facts.Queue) && slices.Equal(old.Problems, facts.Problems) {
		return nil
	}
	return s.tx(ctx, func(tx *sql.Tx) error { return setSetting(ctx, tx, settingFolder, facts) })
}

// ThreadSource returns the text of a thread as last seen, and the file it
// stood in.
func (s *Store) ThreadSource(ctx context.Context, id string) (file, source string, err error) {
	err = s.reader.QueryRowContext(ctx, `SELECT file, source FROM threads WHERE id = $1`, id).Scan(&file, &source)
	if errors.Is(err, sql.ErrNoRows) {
		err = newsletter.ErrNotFound
	}
	if err != nil {
		return "", "", fmt.Errorf("read thread %s: %w", id, err)
	}
	return file, source, nil
}

// SentSource returns the text of a thread as it went out in an issue;
// ErrNotFound where it did not.
func (s *Store) SentSource(ctx context.Context, id string) (source string, err error) {
	err = s.reader.QueryRowContext(ctx, `SELECT source FROM issue_threads WHERE thread = $1`, id).Scan(&source)
	if errors.Is(err, sql.ErrNoRows) {
		err = newsletter.ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("read thread %s as it was sent: %w", id, err)
	}
	return source, nil
}

// numberOut gives the threads that went out their places behind those that have
// one. It looks at all of them: where nodes of two versions work beside each
// other, the older one gives none.
func numberOut(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `UPDATE threads SET out_number = o.number FROM (
			SELECT t.id, (SELECT coalesce(max(out_number), 0) FROM threads) + row_number() OVER (
				ORDER BY coalesce(i.published_at, t.archived_at), coalesce(i.number, 0), coalesce(it.position, 0), t.number) AS number
			FROM threads t LEFT JOIN issue_threads it ON it.thread = t.id LEFT JOIN issues i ON i.number = it.issue
			WHERE t.out_number IS NULL AND (t.archived_at IS NOT NULL OR i.number IS NOT NULL)
		) o WHERE o.id = threads.id`)
	if err != nil {
		return fmt.Errorf("number what is out: %w", err)
	}
	return nil
}

// ArchiveThread notes that a thread went out elsewhere. One that was sent or
// archived before is left as it is.
func (s *Store) ArchiveThread(ctx context.Context, id string, at time.Time) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.alone(ctx, tx, aloneThreads); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `UPDATE threads SET archived_at =
			CASE WHEN EXISTS (SELECT 1 FROM issue_threads it WHERE it.thread = threads.id) THEN archived_at ELSE coalesce(archived_at, $2) END
			WHERE id = $1`, id, ms(at))
		if err != nil {
			return fmt.Errorf("archive thread %s: %w", id, err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, fmt.Errorf("archive thread %s: %w", id, newsletter.ErrNotFound))
		}
		if err := numberOut(ctx, tx); err != nil {
			return err
		}
		_, err = s.siteChanged(ctx, tx)
		return err
	})
}
