package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"threadmill/internal/newsletter"
)

// assetPart is how much of a picture one transaction writes, in bytes, so that
// others get their turn.
const assetPart = 512 << 10

// KeepAsset keeps a picture, and returns its digest. One that is there is not
// written again. Whoever refers to it should do so soon: see SweepAssets.
func (s *Store) KeepAsset(ctx context.Context, mediaType string, content []byte) (digest string, err error) {
	if len(content) > newsletter.AssetMax {
		return "", fmt.Errorf("keep a picture: it is larger than %d MB", newsletter.AssetMax>>20)
	}
	sum := sha256.Sum256(content)
	digest = hex.EncodeToString(sum[:])
	if err := s.keepAsset(ctx, digest, mediaType, content); err != nil {
		return "", fmt.Errorf("keep picture %s: %w", digest, err)
	}
	return digest, nil
}

func (s *Store) keepAsset(ctx context.Context, digest, mediaType string, content []byte) error {
	var whole bool
	err := s.tx(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `INSERT INTO assets (digest, media_type, size, wanted_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (digest) DO UPDATE SET wanted_at = excluded.wanted_at RETURNING whole`,
			digest, mediaType, len(content), msNow()).Scan(&whole)
	})
	if err != nil || whole {
		return err
	}
	parts := 0
	for ; parts*assetPart < len(content); parts++ {
		part := content[parts*assetPart : min((parts+1)*assetPart, len(content))]
		_, err := s.exec(ctx, `INSERT INTO asset_parts (digest, part, bytes) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, digest, parts, part)
		if err != nil {
			return err
		}
	}
	n, err := s.exec(ctx, `UPDATE assets SET whole = TRUE WHERE digest = $1 AND (SELECT count(*) FROM asset_parts WHERE digest = $1) = $2`, digest, parts)
	if err == nil && n == 0 {
		err = errors.New("parts of it are missing; another process removed them")
	}
	return err
}

// ThreadAssets returns the pictures of every thread by the thread's id.
func (s *Store) ThreadAssets(ctx context.Context) (map[string][]newsletter.Asset, error) {
	list := map[string][]newsletter.Asset{}
	err := each(ctx, s.reader, func(rows *sql.Rows) error {
		var thread string
		var a newsletter.Asset
		var modified sql.NullInt64
		if err := rows.Scan(&thread, &a.Name, &a.Digest, &a.MediaType, &a.Size, &modified); err != nil {
			return err
		}
		a.ModifiedAt = timeOf(modified)
		list[thread] = append(list[thread], a)
		return nil
	}, `SELECT ta.thread, ta.name, ta.digest, a.media_type, a.size, ta.modified_at
		FROM thread_assets ta JOIN assets a ON a.digest = ta.digest ORDER BY ta.thread, ta.name`)
	if err != nil {
		return nil, fmt.Errorf("read the pictures of threads: %w", err)
	}
	return list, nil
}

// setThreadAssets replaces the pictures of a thread.
func setThreadAssets(ctx context.Context, tx *sql.Tx, thread string, assets []newsletter.Asset) error {
	_, err := tx.ExecContext(ctx, `UPDATE assets SET wanted_at = $2 WHERE digest IN (SELECT digest FROM thread_assets WHERE thread = $1)`, thread, msNow())
	if err == nil {
		_, err = tx.ExecContext(ctx, `DELETE FROM thread_assets WHERE thread = $1`, thread)
	}
	for _, a := range assets {
		if err != nil {
			break
		}
		var res sql.Result
		res, err = tx.ExecContext(ctx, `INSERT INTO thread_assets (thread, name, digest, modified_at)
			SELECT $1, $2, digest, CAST($4 AS BIGINT) FROM assets WHERE digest = $3 AND whole`, thread, a.Name, a.Digest, msOrNull(a.ModifiedAt))
		err = inserted(res, err) // swept meanwhile
	}
	return err
}

// NoteAssetTime keeps the time of the file that holds a picture unchanged.
func (s *Store) NoteAssetTime(ctx context.Context, thread string, a newsletter.Asset) error {
	_, err := s.exec(ctx, `UPDATE thread_assets SET modified_at = $4 WHERE thread = $1 AND name = $2 AND digest = $3`,
		thread, a.Name, a.Digest, msOrNull(a.ModifiedAt))
	if err != nil {
		return fmt.Errorf("note the time of picture %s: %w", a.Name, err)
	}
	return nil
}

// OpenAsset opens a picture of a thread and returns its digest; the error is
// fs.ErrNotExist where there is none. Its parts are read as the reader gets to
// them.
func (s *Store) OpenAsset(ctx context.Context, thread, name string) (io.ReadCloser, string, error) {
	r := &assetReader{ctx: ctx, db: s.reader}
	err := s.reader.QueryRowContext(ctx, `SELECT ta.digest, a.size FROM thread_assets ta JOIN assets a ON a.digest = ta.digest
		WHERE ta.thread = $1 AND ta.name = $2`, thread, name).Scan(&r.digest, &r.left)
	if errors.Is(err, sql.ErrNoRows) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, "", fmt.Errorf("open picture %s of thread %s: %w", name, thread, err)
	}
	return r, r.digest, nil
}

// assetReader reads a picture part by part.
type assetReader struct {
	ctx    context.Context //nolint:containedctx // an io.Reader has no other way to end
	db     *sql.DB
	digest string
	part   int
	bytes  []byte
	left   int64 // that Read has not returned
}

func (r *assetReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	if len(r.bytes) == 0 {
		err := r.db.QueryRowContext(r.ctx, `SELECT bytes FROM asset_parts WHERE digest = $1 AND part = $2`, r.digest, r.part).Scan(&r.bytes)
		if err != nil {
			return 0, fmt.Errorf("read part %d of picture %s: %w", r.part, r.digest, err)
		}
		r.part++
	}
	n := copy(p, r.bytes)
	r.bytes = r.bytes[n:]
	r.left -= int64(n)
	return n, nil
}

// Close lets the last part go.
func (r *assetReader) Close() error {
	r.bytes, r.left = nil, 0
	return nil
}

// SweepAssets removes the pictures that no thread uses and nobody wanted since
// the given time, a part at a time, and returns how many. One that somebody
// wants meanwhile is left to them.
func (s *Store) SweepAssets(ctx context.Context, before time.Time) (removed int, err error) {
	var unused []string
	err = each(ctx, s.reader, func(rows *sql.Rows) error {
		var digest string
		err := rows.Scan(&digest)
		unused = append(unused, digest)
		return err
	}, `SELECT digest FROM assets a WHERE wanted_at < $1
		AND NOT EXISTS (SELECT 1 FROM thread_assets ta WHERE ta.digest = a.digest) ORDER BY digest LIMIT 1000`, ms(before))
	for _, digest := range unused {
		var gone bool
		if err == nil {
			gone, err = s.sweepAsset(ctx, digest, before)
		}
		if gone {
			removed++
		}
	}
	if err != nil {
		return removed, fmt.Errorf("remove unused pictures: %w", err)
	}
	return removed, nil
}

func (s *Store) sweepAsset(ctx context.Context, digest string, before time.Time) (gone bool, err error) {
	const free = ` digest = $1 AND wanted_at < $2 AND NOT EXISTS (SELECT 1 FROM thread_assets ta WHERE ta.digest = assets.digest)`
	for more := true; more && err == nil; {
		err = s.tx(ctx, func(tx *sql.Tx) error {
			res, err := tx.ExecContext(ctx, `UPDATE assets SET whole = FALSE WHERE`+free, digest, ms(before))
			if err := inserted(res, err); err != nil { // nothing is whole that lacks a part
				return err
			}
			res, err = tx.ExecContext(ctx, `DELETE FROM asset_parts WHERE digest = $1
				AND part = (SELECT max(part) FROM asset_parts WHERE digest = $1)`, digest)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			if more = n > 0; more || err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `DELETE FROM assets WHERE digest = $1`, digest)
			gone = err == nil
			return err
		})
	}
	if errors.Is(err, newsletter.ErrTaken) {
		return false, nil
	}
	return gone, err
}
