package publish

import (
	"context"
	"errors"
	"time"
)

// The kinds of warnings that stand while the daemon cannot do its work.
const (
	WarningSite   = "site"
	WarningSlot   = "slot"
	WarningReview = "review" // what the author answered cannot be done
)

const (
	// look is how often the daemon looks for what other commands left to do.
	look = time.Second
	// folderLook is how often it looks whether the threads folder changed.
	folderLook = 20 * time.Second
	// sweepEvery is how often it looks for pictures that no thread has used for
	// unusedFor.
	sweepEvery = time.Hour
	unusedFor  = 7 * 24 * time.Hour
	// slotRetry is how often it tries what is due though no slot came: the last
	// try may have failed.
	slotRetry = 30 * time.Second
	// seenEvery is how often a node says that its output folder is kept up, and
	// goneAfter when one of which nobody said so is forgotten.
	seenEvery = 20 * time.Second
	goneAfter = 7 * 24 * time.Hour
	// foldEvery is how often it looks for issues of which counts are enough.
	foldEvery = 24 * time.Hour
	// retryMax bounds the wait between two tries to write the site.
	retryMax = 30 * time.Second
	// hookRetryMax is the same for the hook after the site, which may upload much.
	hookRetryMax = 5 * time.Minute
)

// Signals wake those who write the site; a nil channel never does.
type Signals struct {
	Reload <-chan struct{} // the site is to be written now
	Notice <-chan struct{} // the revision may have risen, which is also looked for each second
}

// Run is the daemon's part of publishing: it publishes at the slots, by the
// database's clock, and writes the site when an issue, an edit or a command
// asks for it, until ctx is done. released is called after mail was let go.
// Only the holder of the lock may call it.
func (p *Publisher) Run(ctx context.Context, wake Signals, released func()) error {
	if err := p.Begin(ctx); err != nil {
		return err
	}
	d := &daemon{Publisher: p, released: released, keeps: true, stale: true, watches: true}
	d.changed()
	d.slot(ctx)
	d.loop(ctx, wake)
	return nil
}

// Attend writes the site when another process published an issue or asks for
// it, until ctx is done. Only the holder of the lock may call it.
func (p *Publisher) Attend(ctx context.Context, released func()) {
	d := &daemon{Publisher: p, released: released, keeps: true}
	d.loop(ctx, Signals{})
}

// Mirror keeps the output folder of a node in step with the database, and the
// database with its threads folder, until ctx is done, while another process
// keeps the publication. written is called when the folder shows what the
// database holds.
func (p *Publisher) Mirror(ctx context.Context, wake Signals, written func()) {
	d := &daemon{Publisher: p, released: written, stale: true, watches: true}
	d.asked(ctx)
	d.changed()
	d.loop(ctx, wake)
}

type daemon struct {
	*Publisher
	released func()
	keeps    bool // it holds the lock, and the mail waits for its site
	watches  bool // the threads folder and, as the holder, the schedule

	next  time.Time // slot, when the clock was last looked at
	tried time.Time // to publish what is due
	month time.Time // when it was last looked whether a month is over

	revision  int64     // the newest that was seen
	stale     bool      // the site must be written
	notBefore time.Time // of the next try, after one that failed
	wait      time.Duration
	stamp     string // of the threads folder
	stamped   time.Time
	swept     time.Time
	folded    time.Time
	seen      time.Time // when the database heard last that the folder is kept up
}

func (d *daemon) loop(ctx context.Context, wake Signals) {
	tick, alarm := time.NewTicker(look), time.NewTimer(look)
	alarm.Stop() // until a look at the clock sets it
	defer tick.Stop()
	defer alarm.Stop()
	for ctx.Err() == nil {
		d.site(ctx)
		select {
		case <-alarm.C:
			d.slot(ctx)
		case <-wake.Notice:
			d.asked(ctx)
		case <-wake.Reload:
			d.stale, d.notBefore = true, time.Time{}
		case <-tick.C:
			wait, came := d.clock(ctx)
			if came {
				d.slot(ctx)
			}
			d.digest(ctx)
			if wait < look {
				alarm.Reset(wait)
			}
			d.asked(ctx)
			d.changed()
			d.sayHere(ctx)
			d.sweep(ctx)
			d.fold(ctx)
		case <-ctx.Done():
		}
	}
}

// clock tells whether a slot came since the last look, and how long it is until
// the next one. It asks every second: the database's clock and that of this
// machine may differ, and either may be set.
func (d *daemon) clock(ctx context.Context) (wait time.Duration, came bool) {
	if !d.keeps || !d.watches || d.o.Schedule == nil {
		return look, false
	}
	now, err := d.o.Store.Now(ctx)
	if err != nil {
		if ctx.Err() == nil {
			d.o.Log.Error("look at the clock", "err", err)
		}
		return look, false
	}
	came = !now.Before(d.next) || time.Since(d.tried) >= slotRetry
	d.next = d.o.Schedule.Next(now)
	return d.next.Sub(now), came
}

// slot publishes what is due.
func (d *daemon) slot(ctx context.Context) {
	d.tried = time.Now()
	o, err := d.PublishDue(ctx, "")
	switch {
	case ctx.Err() != nil:
	case err != nil:
		d.o.Log.Error("the slot could not be published; it is tried again", "err", err)
		d.warn(ctx, WarningSlot, err)
		return
	case o.Issue != nil:
		d.stale, d.notBefore = true, time.Time{}
	default:
		d.o.Log.Debug("nothing published", "reason", o.Reason)
	}
	d.clear(ctx, WarningSlot)
}

// digest publishes the digest of a month that is over.
func (d *daemon) digest(ctx context.Context) {
	if !d.keeps || !d.watches || time.Since(d.month) < slotRetry {
		return
	}
	d.month = time.Now()
	o, err := d.PublishMonth(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		d.o.Log.Error("the digest of the month could not be published; it is tried again", "err", err)
	case o.Issue != nil:
		d.stale, d.notBefore = true, time.Time{}
	}
}

// asked looks for a revision that is newer than the site, which also those
// make who ask for a new site, and for issues that wait for their page.
func (d *daemon) asked(ctx context.Context) {
	revision, wanted, err := d.wanted(ctx)
	if err != nil {
		if ctx.Err() == nil {
			d.o.Log.Error("look for work", "err", err)
		}
		return
	}
	d.stale = d.stale || wanted
	if revision > d.revision { // not the one that could not be written
		d.revision, d.notBefore = revision, time.Time{}
	}
}

// wanted tells the publication's revision, and whether the site must be
// written. One who only mirrors knows what it has seen.
func (d *daemon) wanted(ctx context.Context) (revision int64, wanted bool, err error) {
	if d.keeps {
		return d.siteWanted(ctx)
	}
	revision, err = d.o.Store.Revision(ctx)
	return revision, revision > d.revision, err
}

// changed looks whether the author did something in the threads folder.
func (d *daemon) changed() {
	if !d.watches || d.o.Folder == nil || time.Since(d.stamped) < folderLook {
		return
	}
	d.stamped = time.Now()
	stamp, err := d.o.Folder.Stamp()
	if err != nil {
		d.o.Log.Error("look for changes in the threads folder", "err", err)
		return
	}
	d.stale = d.stale || stamp != d.stamp
	d.stamp = stamp
}

// site writes the site when it is stale; after a failure the waits between
// tries grow.
func (d *daemon) site(ctx context.Context) {
	if !d.stale || time.Now().Before(d.notBefore) {
		return
	}
	write, fault := d.MirrorSite, "the site of this node could not be written"
	if d.keeps {
		write, fault = d.WriteSite, "the site could not be written; the mail of new issues waits for it"
	}
	report, err := write(ctx)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		longest := retryMax
		if _, ok := errors.AsType[*hookError](err); ok {
			longest = hookRetryMax
			fault = "the site is written, and the hook after it failed; the mail of new issues waits for it"
		}
		d.wait = min(max(2*d.wait, time.Second), longest)
		d.notBefore = time.Now().Add(d.wait)
		d.o.Log.Error(fault, "err", err)
		return
	}
	d.stale, d.wait = false, 0
	if report.Written > 0 {
		d.o.Log.Info("site written", "written", report.Written, "unchanged", report.Unchanged)
	}
	d.released()
}

// sayHere says that the output folder is one of those that are kept up, where
// there may be more than one.
func (d *daemon) sayHere(ctx context.Context) {
	if d.o.Place == "" || time.Since(d.seen) < seenEvery {
		return
	}
	d.seen = time.Now()
	if err := d.o.Store.SiteSeen(ctx, d.o.Place); err != nil && ctx.Err() == nil {
		d.o.Log.Error("say that the site is kept up", "err", err)
	}
}

// sweep removes pictures that nothing uses any more, and forgets output
// folders that nobody keeps up.
func (d *daemon) sweep(ctx context.Context) {
	if !d.keeps || !d.watches || time.Since(d.swept) < sweepEvery {
		return
	}
	d.swept = time.Now()
	n, err := d.o.Store.SweepAssets(ctx, time.Now().Add(-unusedFor))
	if err == nil {
		err = d.o.Store.SweepSites(ctx, time.Now().Add(-goneAfter))
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		d.o.Log.Error("sweep", "err", err)
	case n > 0:
		d.o.Log.Info("unused pictures removed", "pictures", n)
	}
}

// fold lets go of who got issues that are old.
func (d *daemon) fold(ctx context.Context) {
	if !d.keeps || !d.watches || d.o.Folds == nil || time.Since(d.folded) < foldEvery {
		return
	}
	d.folded = time.Now()
	n, err := d.o.Store.FoldDeliveries(ctx, d.o.Folds(time.Now()))
	switch {
	case ctx.Err() != nil:
	case err != nil:
		d.o.Log.Error("fold the deliveries of old issues", "err", err)
	case n > 0:
		d.o.Log.Info("deliveries of old issues folded into counts (privacy.keep_deliveries)", "issues", n)
	}
}

func (d *daemon) warn(ctx context.Context, kind string, err error) {
	if werr := d.o.Store.Warn(ctx, kind, err.Error()); werr != nil {
		d.o.Log.Error("note a warning", "kind", kind, "err", werr)
	}
}

func (d *daemon) clear(ctx context.Context, kind string) {
	if err := d.o.Store.Unwarn(ctx, kind); err != nil && ctx.Err() == nil {
		d.o.Log.Error("clear a warning", "kind", kind, "err", err)
	}
}
