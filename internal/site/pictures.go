package site

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"threadmill/internal/newsletter"
	"threadmill/internal/picture"
)

// Plans remember how pictures are shown, so that their sources need not be
// read again. They may be shared by sites of any folder and used by many
// goroutines. The zero value is empty.
type Plans struct {
	mu   sync.Mutex
	list map[[2]string]picture.Plan // by digest and name
}

// maxPlans bounds what is remembered; each takes less than 1 KB.
const maxPlans = 50_000

func (p *Plans) get(digest, name string) (picture.Plan, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	plan, ok := p.list[[2]string{digest, name}]
	return plan, ok && digest != ""
}

func (p *Plans) put(digest, name string, plan picture.Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.list == nil || len(p.list) >= maxPlans {
		p.list = make(map[[2]string]picture.Plan)
	}
	p.list[[2]string{digest, name}] = plan
}

// lookAhead is how much of a picture is read to plan for it, in bytes. The
// headers of photographs fit, with their thumbnails.
const lookAhead = 256 << 10

// Pictured returns the threads with their pictures, as their pages, mails and
// feeds shall show them. It writes nothing. A picture that is nowhere is left
// out.
func (s *Site) Pictured(ctx context.Context, threads []newsletter.Thread) ([]newsletter.Thread, error) {
	threads = slices.Clone(threads)
	for i, t := range threads {
		pictures := make(map[string]newsletter.Picture)
		for _, name := range t.Assets {
			plan, err := s.plan(ctx, t, name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("thread %s: picture %s: %w", t.Slug, name, err)
			}
			pictures[name] = plan.Picture
		}
		threads[i].Pictures = pictures
	}
	return threads, nil
}

// plan tells what becomes of a picture, from its header where that is enough.
func (s *Site) plan(ctx context.Context, t newsletter.Thread, name string) (picture.Plan, error) {
	r, digest, err := s.opt.OpenAsset(ctx, t, name)
	if err != nil {
		return picture.Plan{}, err
	}
	defer r.Close()
	if plan, ok := s.opt.Plans.get(digest, name); ok {
		return plan, nil
	}
	var head []byte
	if digest != "" {
		if head, err = io.ReadAll(io.LimitReader(r, lookAhead)); err != nil {
			return picture.Plan{}, err
		}
		plan, err := picture.Look(name, digest, head, len(head) < lookAhead)
		if err == nil {
			s.opt.Plans.put(digest, name, plan)
			return plan, nil
		}
	}
	b, err := readPicture(io.MultiReader(bytes.NewReader(head), r))
	if err != nil {
		return picture.Plan{}, err
	}
	if digest == "" {
		sum := sha256.Sum256(b)
		digest = hex.EncodeToString(sum[:])
	}
	plan, err := picture.Look(name, digest, b, true)
	if err == nil {
		s.opt.Plans.put(digest, name, plan)
	}
	return plan, err
}

// PictureFor returns the smallest file of a thread's picture that is at least so
// many pixels wide, or the widest.
func (s *Site) PictureFor(ctx context.Context, t newsletter.Thread, name string, width int) ([]byte, error) {
	plan, err := s.plan(ctx, t, name)
	if err != nil {
		return nil, pictureError(t, name, err)
	}
	r, _, err := s.opt.OpenAsset(ctx, t, name)
	if err != nil {
		return nil, pictureError(t, name, err)
	}
	source, err := readPicture(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, pictureError(t, name, err)
	}
	made, err := plan.Make(source)
	if err != nil && len(made) == 0 {
		return nil, pictureError(t, name, err)
	}
	file := plan.Files[0]
	for _, smaller := range plan.Files { // widest first
		if smaller.Width >= width {
			file = smaller
		}
	}
	return made[file.Name], nil
}

func readPicture(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, newsletter.AssetMax+1))
	if err == nil && len(b) > newsletter.AssetMax {
		err = fmt.Errorf("larger than %d MB", newsletter.AssetMax>>20)
	}
	return b, err
}

// pictures stages the files of the threads' pictures that are not there yet,
// and returns the entries with what their pages show of them. Pictures are
// made on all processors, as many at once as have room in the memory.
func (s *Site) pictures(ctx context.Context, st *stage, entries []newsletter.Entry) ([]newsletter.Entry, error) {
	entries = slices.Clone(entries)
	w := workshop{site: s, stage: st, room: semaphore.NewWeighted(picture.MaxDecoded)}
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	var failed error
	for i := range entries {
		if failed = w.thread(within, group, &entries[i].Thread); failed != nil {
			break
		}
	}
	if err := group.Wait(); err != nil { // it made the others end
		failed = err
	}
	if failed == nil {
		failed = w.link(ctx)
	}
	return entries, failed
}

// workshop makes the pictures of one Write.
type workshop struct {
	site *Site
	room *semaphore.Weighted // in bytes, for what is being decoded

	mu    sync.Mutex // guards the stage
	stage *stage

	plain, others []picture.Link // below the output folder
}

// thread plans for the pictures of a thread, and has those made that are not
// there. A picture whose source is gone keeps the copies that are there;
// without one the page has a gap, which is no reason to hold an issue back.
func (w *workshop) thread(ctx context.Context, group *errgroup.Group, t *newsletter.Thread) error {
	if len(t.Assets) == 0 {
		return nil
	}
	t.Pictures = make(map[string]newsletter.Picture, len(t.Assets))
	for _, name := range t.Assets {
		if !w.fits(ctx, *t, name) {
			continue
		}
		plan, err := w.site.plan(ctx, *t, name)
		if errors.Is(err, fs.ErrNotExist) {
			if _, err := w.stage.root.Stat(t.Path() + name); err != nil {
				w.site.opt.Log.WarnContext(ctx, "picture is missing", "thread", t.Slug, "picture", name)
			}
			continue
		}
		if err != nil {
			return pictureError(*t, name, err)
		}
		t.Pictures[name] = plan.Picture
		for _, l := range plan.Links {
			l := picture.Link{Name: path.Join(t.Path(), l.Name), File: path.Join(t.Path(), l.File)}
			if l.Name == path.Join(t.Path(), name) {
				w.plain = append(w.plain, l)
			} else {
				w.others = append(w.others, l)
			}
		}
		if !w.there(t.Path(), plan) {
			made := *t // the loop goes on with t
			group.Go(func() error { return pictureError(made, name, w.make(ctx, made, name, plan)) })
		}
	}
	return nil
}

func pictureError(t newsletter.Thread, name string, err error) error {
	if err != nil {
		err = fmt.Errorf("thread %s: picture %s: %w", t.Slug, name, err)
	}
	return err
}

// fits tells whether a picture's name can be one in the thread's folder.
func (w *workshop) fits(ctx context.Context, t newsletter.Thread, name string) bool {
	target := path.Join(t.Path(), name)
	if strings.HasPrefix(target, t.Path()) && target != t.Path()+"index.html" {
		return true
	}
	w.site.opt.Log.WarnContext(ctx, "picture has a name that cannot be used", "thread", t.Slug, "picture", name)
	return false
}

// there tells whether the folder has all files of a plan. Their names say what
// they hold, so that nobody needs to look.
func (w *workshop) there(dir string, plan picture.Plan) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	names := plan.Names()
	for _, name := range names {
		name = path.Join(dir, name)
		if info, err := w.stage.root.Stat(name); !w.stage.seen[name] && (err != nil || !info.Mode().IsRegular()) {
			return false
		}
	}
	for _, name := range names {
		if name = path.Join(dir, name); !w.stage.seen[name] {
			w.stage.seen[name] = true
			w.stage.report.Unchanged++
		}
	}
	return true
}

// make makes the files of a picture and stages them.
func (w *workshop) make(ctx context.Context, t newsletter.Thread, name string, plan picture.Plan) error {
	room := min(plan.Cost, picture.MaxDecoded)
	if err := w.room.Acquire(ctx, room); err != nil {
		return err
	}
	defer w.room.Release(room)
	r, _, err := w.site.opt.OpenAsset(ctx, t, name)
	if err != nil {
		return err
	}
	source, err := readPicture(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return err
	}
	files, fault := plan.Make(source)
	if fault = cmp.Or(fault, plan.Fault); fault != nil {
		w.site.opt.Log.WarnContext(ctx, "picture is shown as it is", "thread", t.Slug, "picture", name, "err", fault.Error())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, file := range plan.Names() { // in one order
		if err := w.stage.put(ctx, path.Join(t.Path(), file), bytes.NewReader(files[file])); err != nil {
			return err
		}
	}
	return nil
}

// link stages the names that do not tell what is in them. The author's own
// come before those that are made up.
func (w *workshop) link(ctx context.Context) error {
	temps := make(map[string]string)
	for _, f := range w.stage.staged {
		temps[f.name] = f.temp
	}
	for _, l := range slices.Concat(w.plain, w.others) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.stage.link(l.Name, cmp.Or(temps[l.File], l.File)); err != nil {
			return fmt.Errorf("picture %s: %w", l.Name, err)
		}
	}
	return nil
}

// link stages another name for a file below the folder, staged or in place. It
// is the same file then where the system can do that, and a copy elsewhere.
func (s *stage) link(name, from string) error {
	if s.seen[name] {
		return nil
	}
	s.seen[name] = true
	old, err := s.root.Stat(name)
	if err == nil && !old.Mode().IsRegular() {
		return fmt.Errorf("%s is in the way: it is not a file", name)
	}
	is, ferr := s.root.Stat(from)
	if ferr != nil {
		return ferr
	}
	if err == nil && (os.SameFile(old, is) || s.equal(name, from, old, is)) {
		s.report.Unchanged++
		return nil
	}
	s.report.Written++
	s.order++
	temp, err := s.temp()
	if err != nil {
		return err
	}
	if temp = path.Join(path.Dir(name), temp); s.root.Link(from, temp) == nil {
		s.staged = append(s.staged, staged{s.order, temp, name})
		return nil
	}
	text, err := s.root.ReadFile(from)
	if err != nil {
		return err
	}
	dir, err := s.enter(path.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	_, err = s.write(s.order, dir.Root, name, old, text)
	return err
}

// equal tells whether two files hold the same, as copies do.
func (s *stage) equal(a, b string, is, other fs.FileInfo) bool {
	if is.Size() != other.Size() {
		return false
	}
	one, err := s.root.ReadFile(a)
	if err != nil {
		return false
	}
	two, err := s.root.ReadFile(b)
	return err == nil && bytes.Equal(one, two)
}
