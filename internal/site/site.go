package site

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/render"
)

// Options say where a site is written and from what. Documents are made anew
// when an option changes, except for those that are left out of JSON.
type Options struct {
	Dir         string `json:"-"` // the output folder; made when it is not there
	Publication newsletter.Publication
	Templates   *render.Templates `json:"-"`
	Privacy     render.Privacy    // what the page about privacy tells
	// Logo is the file of the publication's logo, where the site holds it.
	Logo []byte `json:"-"`
	// FeedItems is how many of the newest threads stand in the feeds; 0 means
	// 50.
	FeedItems int
	// FeedBytes bounds a feed: it has fewer threads then, though one at least; 0
	// means 1 MB.
	FeedBytes int
	// Hubs are the WebSub hubs that the feed of all threads names.
	Hubs []string
	// OpenAsset opens a picture of a thread by its name below the thread's
	// folder, and tells its SHA-256 in hexadecimal digits where it is known: what
	// the output folder holds already is not read then. Its error is
	// fs.ErrNotExist when the picture is gone; a nil OpenAsset says so of all.
	OpenAsset func(ctx context.Context, t newsletter.Thread, name string) (r io.ReadCloser, digest string, err error) `json:"-"`
	// Plans remember pictures from one site to the next; nil for this one only.
	Plans *Plans `json:"-"`
	// Compressor makes the codings of the files; nil for none.
	Compressor *Compressor `json:"-"`
	// Log gets a warning for a picture that is nowhere, or that cannot be read;
	// nil drops it.
	Log *slog.Logger `json:"-"`
}

// Site is an output folder. Its methods may be called by several goroutines;
// of several processes only one may write.
type Site struct {
	opt Options
	mu  sync.Mutex // one Write or Probe at a time

	icons func() (icons, error) // drawn once
}

// New returns the site in opt.Dir and touches no file.
func New(opt Options) *Site {
	opt.FeedItems = cmp.Or(opt.FeedItems, 50)
	opt.FeedBytes = cmp.Or(opt.FeedBytes, 1_000_000)
	if opt.OpenAsset == nil {
		opt.OpenAsset = func(context.Context, newsletter.Thread, string) (io.ReadCloser, string, error) {
			return nil, "", fs.ErrNotExist
		}
	}
	if opt.Plans == nil {
		opt.Plans = &Plans{}
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	s := &Site{opt: opt}
	s.icons = sync.OnceValues(s.drawIcons)
	return s
}

// Content is what a site shows.
type Content struct {
	Entries []newsletter.Entry // newest first
	Digests []newsletter.Issue // the issues that carry several threads
	// Next is when the next issue is to come; zero where none is in sight.
	Next time.Time
	// FirstURL is where the publication was first, see newsletter.Publication;
	// where it is empty the Options tell.
	FirstURL string
	// Mark tells which database writes the site; the zero Mark is not written.
	Mark newsletter.Mark
}

// Report counts the files of one Write.
type Report struct {
	Written, Unchanged int
}

// Write brings the folder to the given content. Files that are as they should be
// are not touched. On an error the old files stay, each of them whole.
func (s *Site) Write(ctx context.Context, shown Content) (Report, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	root, err := s.open()
	if err != nil {
		return Report{}, err
	}
	defer root.Close()
	st := &stage{dir: s.opt.Dir, root: root, seen: make(map[string]bool), now: index{}, codings: s.opt.Compressor}
	if err := st.recall(ctx); err != nil {
		return Report{}, fmt.Errorf("clear output folder %s: %w", s.opt.Dir, err)
	}
	defer st.discard()
	s.opt.Publication.FirstURL = cmp.Or(shown.FirstURL, s.opt.Publication.FirstURL)
	c := content{entries: shown.Entries, digests: shown.Digests, next: shown.Next, mark: shown.Mark}
	st.modified = c.modified()
	if err := s.build(ctx, st, c); err != nil {
		return Report{}, fmt.Errorf("write site: %w", err)
	}
	if err := st.commit(ctx); err != nil {
		return Report{}, fmt.Errorf("write site to %s: %w", s.opt.Dir, err)
	}
	if err := removeStale(root, func(name string) bool { return st.seen[name] }); err != nil {
		return st.report, fmt.Errorf("clear output folder %s: %w", s.opt.Dir, err)
	}
	return st.report, nil
}

func (s *Site) open() (*os.Root, error) {
	if err := os.MkdirAll(s.opt.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("make output folder: %w", err)
	}
	root, err := os.OpenRoot(s.opt.Dir)
	if err != nil {
		return nil, fmt.Errorf("open output folder: %w", err)
	}
	return root, nil
}

// probeSize is about what an issue adds to the folder, in bytes.
const probeSize = 256 << 10

// probePrefix begins the name of the file that Probe writes.
const probePrefix = ".threadmill-probe-"

// Probe tells whether the folder takes a new issue: it makes the folder,
// writes a file of probeSize, syncs it and removes it.
func (s *Site) Probe(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.probe(ctx); err != nil {
		return fmt.Errorf("output folder %s cannot be written: %w; free some space, correct its owner and mode, or name another folder as output",
			s.opt.Dir, err)
	}
	return nil
}

func (s *Site) probe(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	root, err := s.open()
	if err != nil {
		return err
	}
	defer root.Close()
	name := probePrefix + rand.Text() // no name that Write sweeps away: other processes may probe
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, probeSize))
	err = cmp.Or(err, f.Sync())
	return errors.Join(err, f.Close(), root.Remove(name))
}
