package audience

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"threadmill/internal/newsletter"
)

// How many rows are written at a time. A chunk grows while it takes less than
// chunkTime, since others wait for it that long.
const (
	importChunk = 500
	maxChunk    = 4000
	chunkTime   = 40 * time.Millisecond
	// maxRefused bounds the refused lines that a report shows one by one.
	maxRefused = 1000
	// maxOrigins bounds how many other imports a file may name.
	maxOrigins = 10_000
)

// Records takes the rows of an import, as [Store] does.
type Records interface {
	AddRecords(ctx context.Context, records []newsletter.SubscriberRecord) ([]newsletter.Addition, error)
}

// ImportOptions are the wishes about an import.
type ImportOptions struct {
	// Progress, if not nil, is told after each chunk how many bytes of the
	// file are done. It is called from the goroutine of Import.
	Progress func(done int64)
	// File is the file's name, which is kept with those it brings; that of a
	// service may tell their status.
	File string
	// Status is that of the rows that tell none; active if empty.
	Status newsletter.SubscriberStatus
	// Consent, if not nil, is asked once, before the first are written who get
	// mail, what they agreed to.
	Consent func(ctx context.Context) (string, error)
	// Rehearsal, if not nil, takes the rows in place of the list, so that nothing
	// is written.
	Rehearsal Records
}

// ImportReport sums up an import. Rows is the sum of Added, Completed,
// Unchanged, Kept and RefusedRows.
type ImportReport struct {
	Rows        int // without header and blank lines
	Added       int
	Completed   int // a missing name or tag was filled in
	Unchanged   int
	Kept        int // known as people who get no mail, and left so
	RefusedRows int
	Refused     []RefusedLine // the first 1,000 of them
	// Became counts the statuses that people got by it.
	Became   map[newsletter.SubscriberStatus]int
	Read     []string // the files that were read
	Left     []string // other files of the archive, the first 1,000 of them
	Warnings []string
}

// RefusedLine is a line of the file that gave no subscriber.
type RefusedLine struct {
	File string // the file of an archive, else empty
	Line int    // counted from 1
	Text string // its beginning, without control characters
	Why  string // "the address has no @"
}

// Import reads a CSV file, our own or one of the well-known services, and adds
// everybody in it in flat memory. Cells are separated by comma, semicolon, tab
// or |; without a header the columns are address and name. A bad line is
// refused and reported and the others go on. Importing the same file again
// changes nothing. After an error the report tells what was done before it.
func (a *Audience) Import(ctx context.Context, r io.Reader, opt ImportOptions) (ImportReport, error) {
	im := a.importing(opt)
	if err := im.file(ctx, r, opt.File, ""); err != nil {
		return im.report, fmt.Errorf("import subscribers: %w", err)
	}
	return im.report, nil
}

func (a *Audience) importing(opt ImportOptions) *importing {
	im := &importing{list: a.store, opt: opt, started: now(), chunk: importChunk}
	if opt.Rehearsal != nil {
		im.list = opt.Rehearsal
	}
	im.own = &newsletter.Import{At: im.started, File: CleanName(opt.File)}
	im.origins = map[newsletter.Import]int{}
	return im
}

type importing struct {
	list    Records
	opt     ImportOptions
	started time.Time
	report  ImportReport
	chunk   int   // how many rows are written next
	done    int64 // bytes of the files before

	own     *newsletter.Import
	asked   bool                      // for the consent
	imports []*newsletter.Import      // that the rows of a file name themselves
	origins map[newsletter.Import]int // where those stand in imports, from 1

	// Of the file that is being read.
	in      *counter
	member  string // its name in an archive
	layout  layout
	window  window
	records []newsletter.SubscriberRecord // of a chunk
	began   int64                         // where the window begins
}

// ownImport is the place of the import itself among those that rows name.
const ownImport = -1

// file reads one CSV file. said is the status that its name tells.
func (im *importing) file(ctx context.Context, r io.Reader, name string, said newsletter.SubscriberStatus) error {
	im.in, im.began, im.layout = &counter{r: r}, 0, layout{}
	if said == "" {
		said, _ = statusOfFile(name)
	}
	rows, err := newRecords(im.in)
	if errors.Is(err, io.EOF) {
		return errEmpty
	}
	if err != nil {
		return err
	}
	for first := true; ; first = false {
		rec, err := rows.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("after line %d: %w", rows.count, err)
		}
		if first {
			header, err := im.header(rec, said)
			if err != nil {
				return fmt.Errorf("line %d: %w", rec.line, err)
			}
			if header {
				continue
			}
		}
		if err := im.row(rec); err != nil {
			return err
		}
		if im.window.full() {
			if err := im.flush(ctx); err != nil {
				return err
			}
		}
	}
	if rows.legacy > 0 {
		im.warn("line %d is not UTF-8; such lines were read as Windows-1252, look at their names", rows.legacy)
	}
	return im.flush(ctx)
}

func (im *importing) warn(text string, args ...any) {
	text = fmt.Sprintf(text, args...)
	if im.member != "" {
		text = im.member + ": " + text
	}
	im.report.Warnings = append(im.report.Warnings, text)
}

func (im *importing) header(rec record, said newsletter.SubscriberStatus) (header bool, err error) {
	if rec.why != "" {
		return false, errors.New("the first line " + rec.why)
	}
	im.layout, header, err = readLayout(rec.cells)
	im.layout.said, im.layout.silent = said, im.opt.Status
	if im.opt.Status != "" && im.layout.column[fieldStatus] >= 0 {
		im.warn("has a column of statuses, %q; the status that was given is only for rows where it is empty", clip(rec.cells[im.layout.column[fieldStatus]], 40))
	}
	return header, err
}

func (im *importing) row(row record) error {
	im.report.Rows++
	rec, why := newsletter.SubscriberRecord{}, row.why
	if why == "" {
		rec, why = im.layout.record(row.cells)
	}
	if why != "" {
		im.refuse(row, why)
		return nil
	}
	if rec.CreatedAt.IsZero() {
		rec.CreatedAt = im.started
	}
	return im.window.add(&rec, im.origin(rec.Import))
}

// origin returns the place of the import that brought a row elsewhere. Whoever
// was brought by none came by themselves: our own export tells so.
func (im *importing) origin(imp *newsletter.Import) int {
	switch {
	case imp == nil && im.layout.own():
		return 0
	case imp == nil:
		return ownImport
	}
	place := im.origins[*imp]
	if place == 0 && len(im.imports) < maxOrigins {
		im.imports = append(im.imports, imp)
		place = len(im.imports)
		im.origins[*imp] = place
	}
	return place
}

func (im *importing) refuse(rec record, why string) {
	im.report.RefusedRows++
	if len(im.report.Refused) == maxRefused {
		return
	}
	text := rec.text
	if text == "" {
		text = im.layout.cell(rec.cells, fieldEmail)
	}
	text = clip(CleanName(clip(text, 200)), 80)
	im.report.Refused = append(im.report.Refused, RefusedLine{File: im.member, Line: rec.line, Text: text, Why: why})
}

// flush writes the window, chunk by chunk, and counts what became of it.
func (im *importing) flush(ctx context.Context) error {
	w := &im.window
	if len(w.places) > maxChunk {
		w.sort()
	}
	total := len(w.places)
	for left := w.places; len(left) > 0; {
		n := min(im.chunk, len(left))
		if err := im.write(ctx, left[:n]); err != nil {
			return err
		}
		left = left[n:]
		im.tell(im.began + (im.in.n-im.began)*int64(total-len(left))/int64(total))
	}
	w.reset()
	im.began = im.in.n
	im.tell(im.in.n)
	return ctx.Err()
}

func (im *importing) tell(done int64) {
	if im.opt.Progress != nil {
		im.opt.Progress(im.done + done)
	}
}

func (im *importing) write(ctx context.Context, places []int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	im.records = im.records[:0]
	for _, place := range places {
		rec, imp, err := im.window.row(place)
		if err != nil {
			return err
		}
		switch {
		case imp == ownImport:
			rec.Import = im.own
		case imp > 0:
			rec.Import = im.imports[imp-1]
		}
		im.records = append(im.records, rec)
	}
	if err := im.ask(ctx, im.records); err != nil {
		return err
	}
	began := time.Now()
	additions, err := im.list.AddRecords(ctx, im.records)
	if err != nil {
		return err
	}
	switch took := time.Since(began); {
	case took < chunkTime/2:
		im.chunk = min(im.chunk*2, maxChunk)
	case took > chunkTime:
		im.chunk = max(im.chunk/2, importChunk)
	}
	im.count(additions)
	return nil
}

// ask asks what people agreed to before the first are written who get mail.
func (im *importing) ask(ctx context.Context, chunk []newsletter.SubscriberRecord) error {
	if im.asked || im.opt.Consent == nil || !slices.ContainsFunc(chunk, func(rec newsletter.SubscriberRecord) bool {
		return rec.Status == newsletter.SubscriberActive && rec.Import == im.own
	}) {
		return nil
	}
	consent, err := im.opt.Consent(ctx)
	if err != nil {
		return err
	}
	im.asked, im.own.Consent = true, strings.TrimSpace(consent)
	return nil
}

func (im *importing) count(additions []newsletter.Addition) {
	for _, a := range additions {
		switch a.Result {
		case newsletter.Added:
			im.report.Added++
		case newsletter.Completed:
			im.report.Completed++
		case newsletter.Unchanged:
			im.report.Unchanged++
		case newsletter.Kept:
			im.report.Kept++
		}
		if a.Became != "" {
			if im.report.Became == nil {
				im.report.Became = map[newsletter.SubscriberStatus]int{}
			}
			im.report.Became[a.Became]++
		}
	}
}

// Statuses are the statuses that people got by the import, in order.
func (r ImportReport) Statuses() []newsletter.SubscriberStatus {
	return slices.Sorted(maps.Keys(r.Became))
}

// counter counts the bytes that were read through it.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

var errEmpty = errors.New("the file is empty")
