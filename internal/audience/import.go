package audience

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"threadmill/internal/newsletter"
)

const (
	importChunk = 500
	// maxRefused bounds the refused lines that a report shows one by one.
	maxRefused = 1000
)

// ImportOptions are the wishes about an import.
type ImportOptions struct {
	// Progress, if not nil, is told after each chunk how many bytes of the
	// file were read. It is called from the goroutine of Import.
	Progress func(bytesRead int64)
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
}

// RefusedLine is a line of the file that gave no subscriber.
type RefusedLine struct {
	Line int    // counted from 1
	Text string // its beginning, without control characters
	Why  string // "the address has no @"
}

// Import reads a CSV file, our own or one of the well-known services, and adds
// everybody in it, 500 rows a transaction in flat memory. Cells are separated
// by comma, semicolon or tab; without a header the columns are address and
// name. A bad line is refused and reported and the others go on. Importing the
// same file again changes nothing. After an error the report tells what was
// done before it.
func (a *Audience) Import(ctx context.Context, r io.Reader, opt ImportOptions) (ImportReport, error) {
	im := importing{store: a.store, in: &counter{r: r}, progress: opt.Progress, started: now()}
	if err := im.run(ctx); err != nil {
		return im.report, fmt.Errorf("import subscribers: %w", err)
	}
	return im.report, nil
}

type importing struct {
	store    Store
	in       *counter
	progress func(int64)
	started  time.Time
	layout   layout
	chunk    []newsletter.Subscriber
	report   ImportReport
}

func (im *importing) run(ctx context.Context) error {
	rows, err := newRecords(im.in)
	if errors.Is(err, io.EOF) {
		return errors.New("the file is empty")
	}
	if err != nil {
		return err
	}
	for first := true; ; first = false {
		rec, err := rows.next()
		if errors.Is(err, io.EOF) {
			return im.flush(ctx)
		}
		if err != nil {
			return fmt.Errorf("after line %d: %w", rows.count, err)
		}
		if first {
			header, err := im.header(rec)
			if err != nil {
				return fmt.Errorf("line %d: %w", rec.line, err)
			}
			if header {
				continue
			}
		}
		im.row(rec)
		if im.report.Rows%importChunk == 0 {
			if err := im.flush(ctx); err != nil {
				return err
			}
		}
	}
}

func (im *importing) header(rec record) (header bool, err error) {
	if rec.why != "" {
		return false, errors.New("the first line " + rec.why)
	}
	im.layout, header, err = readLayout(rec.cells)
	return header, err
}

func (im *importing) row(rec record) {
	im.report.Rows++
	sub, why := newsletter.Subscriber{}, rec.why
	if why == "" {
		sub, why = im.layout.subscriber(rec.cells)
	}
	if why != "" {
		im.refuse(rec, why)
		return
	}
	if sub.CreatedAt.IsZero() {
		sub.CreatedAt = im.started
	}
	im.chunk = append(im.chunk, sub)
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
	im.report.Refused = append(im.report.Refused, RefusedLine{Line: rec.line, Text: text, Why: why})
}

// flush writes the chunk and counts what became of it.
func (im *importing) flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(im.chunk) > 0 {
		results, err := im.store.AddSubscribers(ctx, im.chunk)
		if err != nil {
			return err
		}
		im.count(results)
		im.chunk = im.chunk[:0]
	}
	if im.progress != nil {
		im.progress(im.in.n)
	}
	return nil
}

func (im *importing) count(results []newsletter.AddResult) {
	for _, result := range results {
		switch result {
		case newsletter.Added:
			im.report.Added++
		case newsletter.Completed:
			im.report.Completed++
		case newsletter.Unchanged:
			im.report.Unchanged++
		case newsletter.Kept:
			im.report.Kept++
		}
	}
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
