package publish

import (
	"context"
	"log/slog"
	netmail "net/mail"
	"os"
	"sync/atomic"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/render"
	"threadmill/internal/site"
)

// Folder is where the author keeps the threads.
type Folder interface {
	// Read reads every thread; one that is broken is a problem, not an error.
	Read(ctx context.Context) (newsletter.Folder, error)
	// OpenAsset opens a picture of a thread by its name below the thread's folder.
	OpenAsset(t newsletter.Thread, name string) (*os.File, error)
	// Stamp changes when the folder does.
	Stamp() (string, error)
}

// Schedule tells when slots are due.
type Schedule interface {
	Next(after time.Time) time.Time
	Last(since, now time.Time) (time.Time, bool)
	Key(at time.Time) string
}

// CatchUp decides whether a slot that is late is still published.
type CatchUp interface {
	Allows(slot, now time.Time) bool
}

// Store is what publishing needs of the database.
type Store interface {
	Threads(ctx context.Context) (newsletter.Known, error)
	Kept(ctx context.Context) (newsletter.Known, newsletter.Folder, error)
	KeepFolder(ctx context.Context, f newsletter.Folder) error
	UpdateThreads(ctx context.Context, now time.Time, stamp string, updates []newsletter.ThreadUpdate) error
	ThreadSource(ctx context.Context, id string) (file, source string, err error)
	Snapshot(ctx context.Context, number int64) (newsletter.Snapshot, error)
	SentSource(ctx context.Context, id string) (source string, err error)
	ArchiveThread(ctx context.Context, id string, at time.Time) error

	ThreadAssets(ctx context.Context) (map[string][]newsletter.Asset, error)
	KeepAsset(ctx context.Context, mediaType string, content []byte) (digest string, err error)
	NoteAssetTime(ctx context.Context, thread string, a newsletter.Asset) error
	SweepAssets(ctx context.Context, before time.Time) (removed int, err error)

	// Now is the clock by which slots are due.
	Now(ctx context.Context) (time.Time, error)
	ScheduleSince(ctx context.Context, expression, zone string, now time.Time) (time.Time, error)
	BeginSchedule(ctx context.Context, expression, zone string, now time.Time) (time.Time, error)
	EndSchedule(ctx context.Context) error
	LastSlot(ctx context.Context, now time.Time) (last, future time.Time, err error)
	SlotOver(ctx context.Context, slot newsletter.Slot) (bool, error)
	ClaimSlot(ctx context.Context, slot newsletter.Slot, outcome newsletter.SlotOutcome, now time.Time) error
	Pause(ctx context.Context) (newsletter.Pause, error)
	SetPause(ctx context.Context, p newsletter.Pause) error
	Review(ctx context.Context, due time.Time) (newsletter.Review, error)
	AnsweredReviews(ctx context.Context) ([]newsletter.Review, error)
	KeepReview(ctx context.Context, r newsletter.Review) error
	AnswerReview(ctx context.Context, due time.Time, answer newsletter.ReviewAnswer) error
	ReviewDone(ctx context.Context, due time.Time) error
	Resume(ctx context.Context, passed *newsletter.Slot, now time.Time) error
	Skips(ctx context.Context) ([]newsletter.Slot, error)
	Skip(ctx context.Context, slot newsletter.Slot, now time.Time) error
	Unskip(ctx context.Context, slot newsletter.Slot, now time.Time) error

	NextIssue(ctx context.Context) (int64, error)
	Publish(ctx context.Context, issue newsletter.Issue, slot *newsletter.Slot, snap newsletter.Snapshot, batch int) (int, error)
	LastMonth(ctx context.Context) (string, error)
	EndMonth(ctx context.Context, month string) error
	FoldDeliveries(ctx context.Context, before time.Time) (int, error)
	LatestIssue(ctx context.Context) (int64, error)
	SendMissed(ctx context.Context, issue int64, batch int) (int, error)
	Reach(ctx context.Context, c newsletter.Circle, now time.Time) (int, newsletter.LeftOut, error)
	Mark(ctx context.Context) (own, accepted newsletter.Mark, err error)
	SiteDue(ctx context.Context) ([]int64, error)
	FirstURL(ctx context.Context, url string) (string, error)
	WithdrawnIssues(ctx context.Context) ([]int64, error)
	SiteWritten(ctx context.Context, issues []int64) error
	Revision(ctx context.Context) (int64, error)
	AfterSiteDue(ctx context.Context) (bool, error)
	SetAfterSiteDue(ctx context.Context, due bool) error
	SiteState(ctx context.Context, place string) (newsletter.SiteState, error)
	SiteTried(ctx context.Context, place string, revision int64, failure error) error
	SiteSeen(ctx context.Context, place string) error
	SweepSites(ctx context.Context, before time.Time) error
	Warn(ctx context.Context, kind, text string) error
	Unwarn(ctx context.Context, kind string) error
}

// Letterhead is what all mails of a publication have in common.
type Letterhead struct {
	From    netmail.Address
	ReplyTo netmail.Address // zero for none
	// ReturnPath is the envelope sender; empty stands for From.
	ReturnPath mail.ReturnPath
	Headers    map[string]string
	// UnsubscribeURL is the address to which a recipient's token is appended:
	// https, or mailto where there is no server.
	UnsubscribeURL string
	// PreferencesURL is the same for the page of what they chose; empty for none.
	PreferencesURL string
	// OneClick adds the header of RFC 8058; it needs an https address.
	OneClick bool
	// Greeting begins each mail with a line for its reader.
	Greeting bool
}

// Options are what a Publisher is made of.
type Options struct {
	Store Store
	// Folder is nil on a node that has none, and lives on what others keep.
	Folder Folder
	// Parse reads a thread from text that was kept.
	Parse       func(file, source string) newsletter.Thread
	Publication newsletter.Publication
	// Templates reads the templates anew, so that an edit shows at once.
	Templates func() (*render.Templates, error)
	// Site is the output folder, or another one where dir is not empty: for that
	// the pictures that the threads folder holds count more than those that were
	// taken in.
	Site func(t *render.Templates, dir string) *site.Site
	// Place names the output folder among those of all nodes; empty where there
	// is only one.
	Place string

	Schedule   Schedule // nil: only by hand
	Expression string   // of the schedule
	CatchUp    CatchUp
	Except     Except // nil: no slot is left out
	// SendMissed makes a slot for which no thread is left send the latest issue
	// to those who have not got it.
	SendMissed      bool
	Order           newsletter.Order
	ThreadsPerIssue int
	// To is who gets the mail of threads that do not say it.
	To    newsletter.Segment
	Batch int // deliveries in a batch
	// Grace is how long the mail of a slot's issue waits; meanwhile the author
	// has a copy, where there is an address.
	Grace time.Duration
	// Folds is the time before which issues must have been finished of which
	// counts are enough; nil keeps their deliveries for ever.
	Folds      func(now time.Time) time.Time
	Letterhead Letterhead
	// EmbedPictures makes mails carry their pictures instead of linking to them.
	EmbedPictures bool
	// MayMail, if not nil, tells what keeps mail from leaving. It is asked before
	// an issue with mail is claimed.
	MayMail func(context.Context) error
	Hooks   Hooks
	// MayPublish, if not nil, tells what keeps an issue from being published, by
	// mail or not. It is asked before one is claimed.
	MayPublish func(context.Context) error
	// MaySend, if not nil, tells what keeps the mail of new issues from leaving once
	// the site is written, which it is asked before the hook after the site and
	// behind it.
	MaySend func(context.Context) error
	// MayWrite, if not nil, tells what keeps the site from being written.
	MayWrite func(context.Context) error
	Log      *slog.Logger
}

// Publisher turns threads into issues.
type Publisher struct {
	o     Options
	taken taken
	texts texts
	sent  sent
	tags  tags
	next  atomic.Pointer[time.Time] // when the next issue is to come, as the site says
	// hooked says that the hook after the site ended well and nothing changed since.
	hooked atomic.Bool
	busy   atomic.Pointer[busyTime] // the last hook; nil for none
	began  time.Time                // when Begin saw the schedule first; zero when it was known
}

// New returns a Publisher.
func New(o Options) *Publisher { return &Publisher{o: o} }
