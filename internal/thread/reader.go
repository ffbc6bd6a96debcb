package thread

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"threadmill/internal/newsletter"
)

const (
	bundleFile = "index.md"
	queueFile  = "QUEUE"
	sizeLimit  = 1 << 20 // bytes of a file
)

// Reader reads the threads folder.
type Reader struct {
	Dir   string         // the folder
	Label string         // how the author names it in messages, e.g. "threads"
	Zone  *time.Location // a date without a time is midnight here; nil means UTC
	// Memory spares Read the files that look as they did; nil remembers nothing.
	Memory *Memory
	// Judge, if not nil, is shown each picture that Read finds beside a thread's
	// file, and tells what is wrong with it; that becomes a warning. Several
	// goroutines may call it.
	Judge func(file, name string, r io.Reader) error
}

// Read reads every thread of the folder, and the queue, in the order of the
// file names. What is wrong with a file is among the folder's problems, sorted
// by file and line; such a file has no thread when the problem is an error.
// Read fails only when the folder itself cannot be read or ctx ends.
func (r Reader) Read(ctx context.Context) (newsletter.Folder, error) {
	folder := newsletter.Folder{Label: r.Label}
	root, err := r.open()
	if err != nil {
		return folder, err
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return folder, fmt.Errorf("read %s: %w", r.Label, err)
	}
	parts, err := r.readEntries(ctx, root, entries)
	if err != nil {
		return newsletter.Folder{}, fmt.Errorf("read %s: %w", r.Label, err)
	}
	for _, p := range parts {
		folder.Threads = append(folder.Threads, p.Threads...)
		folder.Queue, folder.QueueLines = append(folder.Queue, p.Queue...), append(folder.QueueLines, p.QueueLines...)
		folder.Problems = append(folder.Problems, p.Problems...)
	}
	sortProblems(folder.Problems)
	return folder, nil
}

// readEntries reads what each name stands for, on all processors.
func (r Reader) readEntries(ctx context.Context, root *os.Root, entries []fs.DirEntry) ([]newsletter.Folder, error) {
	parts := make([]newsletter.Folder, len(entries))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, entry := range entries {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			r.readEntry(root, entry, &parts[i])
			return nil
		})
	}
	return parts, group.Wait()
}

// OpenAsset opens a picture by its path below the folder of t, which is one of
// t.Assets. It opens regular files inside the threads folder only; the error
// is [fs.ErrNotExist] when there is none. The caller closes the file.
func (r Reader) OpenAsset(t newsletter.Thread, name string) (*os.File, error) {
	root, err := r.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	file := path.Join(path.Dir(t.File), name)
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("open %s: %w", path.Join(r.Label, file), fs.ErrNotExist)
	}
	if err := regular(root, file); err != nil {
		return nil, fmt.Errorf("open %s: %w", path.Join(r.Label, file), err)
	}
	f, err := root.Open(file)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path.Join(r.Label, file), cause(err))
	}
	return f, nil
}

func (r Reader) open() (*os.Root, error) {
	root, err := os.OpenRoot(r.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read %s: the folder does not exist: create it, or name another in the configuration: %w", r.Label, fs.ErrNotExist)
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", r.Label, cause(err))
	}
	return root, nil
}

// readEntry adds to folder what one name in the threads folder stands for.
func (r Reader) readEntry(root *os.Root, e fs.DirEntry, folder *newsletter.Folder) {
	name := e.Name()
	if ignored(name) {
		return
	}
	dir := e.IsDir()
	if e.Type()&fs.ModeSymlink != 0 {
		info, err := root.Stat(name)
		dir = err == nil && info.IsDir()
	}
	switch ext := strings.ToLower(path.Ext(name)); {
	case dir:
		file := path.Join(name, bundleFile)
		if _, err := root.Lstat(file); err == nil {
			r.readThread(root, file, folder)
		}
	case name == queueFile:
		r.readQueue(root, folder)
	case strings.EqualFold(strings.TrimSuffix(name, path.Ext(name)), "readme"):
	case ext == ".md" || ext == ".markdown":
		r.readThread(root, name, folder)
	}
}

// readThread adds a thread, or the problems that keep it out.
func (r Reader) readThread(root *os.Root, file string, folder *newsletter.Folder) {
	began := time.Now()
	info, err := root.Stat(file)
	if known, ok := r.Memory.recall(file, info); err == nil && ok {
		r.addThread(root, known, folder)
		return
	}
	source, err := readFile(root, file)
	if err == nil && (!utf8.ValidString(file) || strings.ContainsFunc(file, unicode.IsControl)) {
		err = errors.New("the name holds characters that do not print: rename it")
	}
	if err != nil {
		folder.Problems = append(folder.Problems, r.unread(file, err))
		return
	}
	if at := notUTF8(source); at > 0 {
		problem := r.unread(file, errors.New("the text is not UTF-8: save it as UTF-8"))
		problem.Line = at
		folder.Problems = append(folder.Problems, problem)
		return
	}
	p := parsed{look: lookOf(info)}
	var faults *lint
	p.thread, p.pictures, faults = parse(file, source, r.Zone)
	p.problems = faults.problems
	r.Memory.keep(p, began)
	r.addThread(root, p, folder)
}

// addThread adds a thread that was parsed, or the problems that keep it out,
// those of its pictures as they are now.
func (r Reader) addThread(root *os.Root, known parsed, folder *newsletter.Folder) {
	file := known.thread.File
	faults := &lint{file: file, problems: slices.Clone(known.problems)}
	for _, p := range known.pictures {
		switch err := regular(root, path.Join(path.Dir(file), p.name)); {
		case err != nil && p.embed:
			faults.warnf(p.line, p.field, "picture %s: %v: put it beside the file; plain text until then", p.name, err)
		case err != nil:
			faults.errorf(p.line, p.field, "picture %s: %v: put it beside the file", p.name, err)
		case tooLarge(root, path.Join(path.Dir(file), p.name)):
			faults.errorf(p.line, p.field, "picture %s: larger than %d MB: make it smaller", p.name, newsletter.AssetMax>>20)
		default:
			if err := r.judge(root, file, p.name); err != nil {
				faults.warnf(p.line, p.field, "picture %s: %v", p.name, err)
			}
		}
	}
	for _, p := range faults.sorted() {
		p.File = path.Join(r.Label, file)
		folder.Problems = append(folder.Problems, p)
	}
	if !faults.broken() {
		folder.Threads = append(folder.Threads, known.thread)
	}
}

// judge asks about a picture beside a file.
func (r Reader) judge(root *os.Root, file, name string) error {
	if r.Judge == nil {
		return nil
	}
	f, err := root.Open(path.Join(path.Dir(file), name))
	if err != nil {
		return cause(err)
	}
	defer f.Close()
	return r.Judge(file, name, f)
}

// readQueue reads the ids of the queue, one a line.
func (r Reader) readQueue(root *os.Root, folder *newsletter.Folder) {
	source, err := readFile(root, queueFile)
	if err != nil {
		folder.Problems = append(folder.Problems, r.unread(queueFile, err))
		return
	}
	at, first := 0, map[string]int{}
	for row := range strings.Lines(clean(tidy(source))) {
		at++
		id, _, _ := strings.Cut(row, " #") // a remark
		id = strings.TrimSpace(id)
		if id == "" || strings.HasPrefix(id, "#") {
			continue
		}
		if before, double := first[id]; double {
			folder.Problems = append(folder.Problems, newsletter.Problem{
				File: path.Join(r.Label, queueFile), Line: at,
				Text: fmt.Sprintf("%s stands in line %d already, which counts; delete one of them", id, before),
			})
			continue
		}
		first[id] = at
		folder.Queue, folder.QueueLines = append(folder.Queue, id), append(folder.QueueLines, at)
	}
}

// notUTF8 is the line of the first octets that are not UTF-8, or 0.
func notUTF8(source []byte) int {
	if utf8.Valid(source) {
		return 0
	}
	at := 1
	for text := range bytes.Lines(source) {
		if !utf8.Valid(text) {
			break
		}
		at++
	}
	return at
}

// unread is the problem of a file that could not be read.
func (r Reader) unread(file string, err error) newsletter.Problem {
	return newsletter.Problem{
		File:     strings.ToValidUTF8(path.Join(r.Label, line(file)), "\ufffd"),
		Severity: newsletter.Error,
		Text:     fmt.Sprintf("not read: %v", err),
	}
}

// readFile reads a regular file of at most sizeLimit bytes.
func readFile(root *os.Root, file string) ([]byte, error) {
	if err := regular(root, file); err != nil {
		return nil, err
	}
	f, err := root.Open(file)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	source, err := io.ReadAll(io.LimitReader(f, sizeLimit+1))
	if err != nil {
		return nil, cause(err)
	}
	if len(source) > sizeLimit {
		return nil, fmt.Errorf("longer than %d MB", sizeLimit>>20)
	}
	return source, nil
}

// regular tells why file cannot be opened as a file inside root. It keeps
// from opening a named pipe, which would wait for its other end.
func regular(root *os.Root, file string) error {
	info, err := root.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fs.ErrNotExist
	case err != nil:
		return cause(err)
	case !info.Mode().IsRegular():
		return errors.New("not a file")
	}
	return nil
}

// tooLarge tells whether a picture is larger than the publication keeps.
func tooLarge(root *os.Root, file string) bool {
	info, err := root.Stat(file)
	return err == nil && info.Size() > newsletter.AssetMax
}

// cause is err without the operation and the path, which the caller names in
// the author's words.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
