package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"path"
	"slices"
	"sync"
	"time"

	"threadmill/internal/newsletter"
)

// settling is how long a folder must look the same until a look tells whether
// it changed: two changes of a file may have the same time.
const settling = 2 * time.Second

// taken is what a Publisher remembers of the folder, to leave out what it has
// done. It also keeps a folder that lags behind another node's from undoing
// what that one took in: a folder is only taken in when it changed.
type taken struct {
	sync.Mutex
	stamp    string    // of the folder when it was last taken in
	since    time.Time // when it was first taken in with that stamp
	settled  bool      // it stayed the same long enough
	texts    string    // digest of what its files said
	fresh    bool      // a picture had just been written
	pictures map[string]newsletter.Asset
}

// takeIn brings the database to what the folder holds. It returns the threads
// by their files where it had to read them.
func (p *Publisher) takeIn(ctx context.Context) (map[string]newsletter.Thread, error) {
	if p.o.Folder == nil {
		return nil, nil
	}
	p.taken.Lock()
	defer p.taken.Unlock()
	stamp, err := p.o.Folder.Stamp()
	if err != nil {
		return nil, err
	}
	if p.taken.settled && stamp == p.taken.stamp {
		return nil, nil
	}
	began := time.Now()
	folder, err := p.o.Folder.Read(ctx)
	if err != nil {
		return nil, err
	}
	texts := digestOf(folder)
	if stamp != p.taken.stamp || texts != p.taken.texts || p.taken.fresh {
		p.taken.texts, p.taken.fresh = "", false
		if err := p.keep(ctx, folder); err != nil {
			return nil, err
		}
		p.taken.texts = texts
	}
	if stamp != p.taken.stamp {
		p.taken.stamp, p.taken.since = stamp, began
	}
	p.taken.settled = began.Sub(p.taken.since) >= settling
	parsed := make(map[string]newsletter.Thread, len(folder.Threads))
	for _, t := range folder.Threads {
		parsed[t.File] = t
	}
	return parsed, nil
}

// digestOf is a digest of all that the files of a folder say.
func digestOf(folder newsletter.Folder) string {
	h := sha256.New()
	for _, t := range folder.Threads {
		fmt.Fprintf(h, "%q %s ", t.File, t.Digest)
	}
	fmt.Fprintf(h, "%q %q", folder.Queue, folder.Problems)
	return hex.EncodeToString(h.Sum(nil))
}

// keep writes what is new in the folder.
func (p *Publisher) keep(ctx context.Context, folder newsletter.Folder) error {
	faults := slices.DeleteFunc(slices.Clone(folder.Problems), func(f newsletter.Problem) bool { return f.Severity != newsletter.Error })
	if err := p.o.Store.KeepFolder(ctx, newsletter.Folder{Label: folder.Label, Queue: folder.Queue, Problems: faults}); err != nil {
		return err
	}
	for try := 1; ; try++ {
		now, err := p.o.Store.Now(ctx)
		if err != nil {
			return err
		}
		c, n, err := p.survey(ctx, folder, now)
		if err == nil {
			err = p.keepPictures(ctx, c, &n)
		}
		if err != nil || len(n.updates) == 0 {
			return err
		}
		err = p.o.Store.UpdateThreads(ctx, now, n.stamp, n.updates)
		if !errors.Is(err, newsletter.ErrTaken) || try == tries {
			return err
		}
	}
}

// keepPictures keeps the pictures that are new, and adds to the news which
// threads have others than before.
func (p *Publisher) keepPictures(ctx context.Context, c Catalogue, n *news) error {
	known, err := p.o.Store.ThreadAssets(ctx)
	if err != nil {
		return err
	}
	updates := make(map[string]int, len(n.updates))
	for i, u := range n.updates {
		updates[u.ID] = i
	}
	for _, t := range c.Threads {
		if t.File == "" || t.Second || len(t.Assets)+len(known[t.ID]) == 0 {
			continue
		}
		assets, err := p.pictures(ctx, t.Thread, known[t.ID])
		if err != nil {
			return err
		}
		if samePictures(assets, known[t.ID]) {
			continue
		}
		i, changed := updates[t.ID]
		if !changed {
			i = len(n.updates)
			n.updates = append(n.updates, newsletter.ThreadUpdate{Thread: t.Thread})
		}
		n.updates[i].Pictures, n.updates[i].Assets = true, assets
	}
	return nil
}

// pictures keeps the pictures of a thread and returns them. One whose file is
// gone stays as it is known.
func (p *Publisher) pictures(ctx context.Context, t newsletter.Thread, known []newsletter.Asset) ([]newsletter.Asset, error) {
	var list []newsletter.Asset
	for _, name := range t.Assets {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var old *newsletter.Asset
		if i := slices.IndexFunc(known, func(a newsletter.Asset) bool { return a.Name == name }); i >= 0 {
			old = &known[i]
		}
		switch a, err := p.picture(ctx, t, name, old); {
		case err == nil:
			list = append(list, a)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("picture %s of thread %s: %w", name, t.ID, err)
		case old != nil:
			list = append(list, *old)
		}
	}
	return list, nil
}

// picture keeps one picture unless it is kept already, which the size and the
// time of its file tell.
func (p *Publisher) picture(ctx context.Context, t newsletter.Thread, name string, old *newsletter.Asset) (newsletter.Asset, error) {
	f, err := p.o.Folder.OpenAsset(t, name)
	if err != nil {
		return newsletter.Asset{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return newsletter.Asset{}, err
	}
	file := path.Join(path.Dir(t.File), name)
	seen := newsletter.Asset{Name: name, Size: info.Size(), ModifiedAt: info.ModTime().UTC().Truncate(time.Millisecond)}
	if old != nil && (unchanged(*old, seen) || p.taken.pictures[file].Digest == old.Digest && unchanged(p.taken.pictures[file], seen)) {
		return *old, nil
	}
	fresh := time.Since(info.ModTime()) < settling
	a, err := p.readPicture(ctx, f, seen)
	if err != nil {
		return newsletter.Asset{}, err
	}
	if fresh { // it may be written once more at the same time
		a.ModifiedAt, p.taken.fresh = time.Time{}, true
	} else {
		if p.taken.pictures == nil {
			p.taken.pictures = map[string]newsletter.Asset{}
		}
		p.taken.pictures[file] = a
	}
	if old != nil && old.Digest == a.Digest && old.ModifiedAt.IsZero() && !fresh {
		return a, p.o.Store.NoteAssetTime(ctx, t.ID, a)
	}
	return a, nil
}

// unchanged tells whether a file looks as it did when its picture was read.
func unchanged(known, seen newsletter.Asset) bool {
	return known.Size == seen.Size && known.ModifiedAt.Equal(seen.ModifiedAt)
}

// readPicture reads a file, one at a time and of bounded size, and keeps it.
func (p *Publisher) readPicture(ctx context.Context, f fs.File, a newsletter.Asset) (newsletter.Asset, error) {
	content, err := io.ReadAll(io.LimitReader(f, newsletter.AssetMax+1))
	if err == nil && len(content) > newsletter.AssetMax {
		err = fmt.Errorf("larger than %d MB", newsletter.AssetMax>>20)
	}
	if err != nil {
		return newsletter.Asset{}, err
	}
	a.Size, a.MediaType = int64(len(content)), mime.TypeByExtension(path.Ext(a.Name))
	a.Digest, err = p.o.Store.KeepAsset(ctx, a.MediaType, content)
	return a, err
}

// samePictures compares what pictures show, whatever the times of their files.
func samePictures(list, known []newsletter.Asset) bool {
	if len(list) != len(known) {
		return false
	}
	for _, a := range list {
		if !slices.ContainsFunc(known, func(k newsletter.Asset) bool { return k.Name == a.Name && k.Digest == a.Digest }) {
			return false
		}
	}
	return true
}
