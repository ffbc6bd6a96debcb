package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"threadmill/internal/newsletter"
)

// The bounds of reading figures.
const (
	// freshFor is for how long figures are shown that were read at once, and
	// share how many times as long as reading took: a list so long that counting
	// it takes a second is counted each minute.
	freshFor = 5 * time.Second
	share    = 60
	// patience bounds one reading.
	patience = 20 * time.Second
)

// figures is the collector of what the database tells. Among nodes each tells
// the same: they are the publication's, not the node's.
type figures struct {
	Options
	up, subscribers, deliveries, queue, deferred *prometheus.Desc
	issue, published, issueDeliveries            *prometheus.Desc
	lettersWaiting, letters, reports, warnings   *prometheus.Desc
	slot, threads                                *prometheus.Desc

	mu    sync.Mutex // held while figures are read
	last  newsletter.Figures
	err   error
	until time.Time // for which they are fresh
}

func newFigures(o Options) *figures {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("threadmill_"+name, help, labels, nil)
	}
	return &figures{
		Options:         o,
		up:              desc("database_up", "Whether the figures could be read from the database."),
		subscribers:     desc("subscribers", "Subscribers by status.", "status"),
		deliveries:      desc("deliveries_total", "Deliveries of all issues that came to an end, by how.", "state"),
		queue:           desc("queue_deliveries", "Deliveries that have not come to an end, by state.", "state"),
		deferred:        desc("oldest_deferred_seconds", "Time since the first attempt of the delivery that is deferred the longest, 0 where none is."),
		issue:           desc("last_issue_number", "Number of the newest issue."),
		published:       desc("last_issue_published_timestamp_seconds", "When the newest issue was published."),
		issueDeliveries: desc("last_issue_deliveries", "Deliveries of the newest issue by state.", "state"),
		lettersWaiting:  desc("letters_waiting", "Mails to one person, such as confirmations, that are to leave."),
		letters:         desc("letters_total", "Mails to one person that came to an end, by how.", "result"),
		reports:         desc("reports_total", "Reports of other servers about mail that had been sent, by kind.", "kind"),
		warnings:        desc("warnings", "Faults that stand, by kind.", "kind"),
		slot:            desc("next_slot_timestamp_seconds", "When the schedule publishes next; a slot that is late stays the next one."),
		threads:         desc("threads_left", "Threads that are ready or wait for their day."),
	}
}

// Describe lists what is collected.
func (f *figures) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		f.up, f.subscribers, f.deliveries, f.queue, f.deferred, f.issue, f.published, f.issueDeliveries,
		f.lettersWaiting, f.letters, f.reports, f.warnings, f.slot, f.threads,
	} {
		ch <- d
	}
}

// Collect shows the figures, as they were read last or anew. Where they cannot
// be read it says so and shows none.
func (f *figures) Collect(ch chan<- prometheus.Metric) {
	n, err := f.read()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	total := func(d *prometheus.Desc, v int, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	if err != nil {
		gauge(f.up, 0)
		return
	}
	gauge(f.up, 1)
	for _, s := range []newsletter.SubscriberStatus{
		newsletter.SubscriberPending, newsletter.SubscriberActive, newsletter.SubscriberUnsubscribed,
		newsletter.SubscriberBounced, newsletter.SubscriberComplained, newsletter.SubscriberSuppressed,
	} {
		gauge(f.subscribers, float64(n.Subscribers[s]), string(s))
	}
	d := n.Deliveries
	total(f.deliveries, d.Sent, string(newsletter.DeliverySent))
	total(f.deliveries, d.Failed, string(newsletter.DeliveryFailed))
	total(f.deliveries, d.Canceled, string(newsletter.DeliveryCanceled))
	gauge(f.queue, float64(d.Pending), string(newsletter.DeliveryPending))
	gauge(f.queue, float64(d.Deferred), string(newsletter.DeliveryDeferred))
	gauge(f.queue, float64(d.InDoubt), string(newsletter.DeliveryInDoubt))
	gauge(f.deferred, age(n.OldestDeferred))
	if n.Last.Number > 0 {
		f.collectIssue(gauge, n)
	}
	gauge(f.lettersWaiting, float64(n.Letters.Waiting))
	total(f.letters, n.Letters.Sent, "sent")
	total(f.letters, n.Letters.GivenUp, "given_up")
	for _, kind := range []string{"bounce", "complaint", "delay"} {
		total(f.reports, n.Reports[kind], kind)
	}
	for kind, number := range n.Warnings {
		gauge(f.warnings, float64(number), kind)
	}
	if !n.NextSlot.IsZero() {
		gauge(f.slot, seconds(n.NextSlot))
	}
	gauge(f.threads, float64(n.ThreadsLeft))
}

func (f *figures) collectIssue(gauge func(*prometheus.Desc, float64, ...string), n newsletter.Figures) {
	gauge(f.issue, float64(n.Last.Number))
	gauge(f.published, seconds(n.Last.PublishedAt))
	for state, number := range map[newsletter.DeliveryState]int{
		newsletter.DeliveryPending: n.Last.Pending, newsletter.DeliverySent: n.Last.Sent, newsletter.DeliveryDeferred: n.Last.Deferred,
		newsletter.DeliveryFailed: n.Last.Failed, newsletter.DeliveryCanceled: n.Last.Canceled, newsletter.DeliveryInDoubt: n.Last.InDoubt,
	} {
		gauge(f.issueDeliveries, float64(number), string(state))
	}
}

// read returns figures that are fresh. Of those who ask at once one reads.
func (f *figures) read() (newsletter.Figures, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	start := time.Now()
	if start.Before(f.until) {
		return f.last, f.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	f.last, f.err = f.Read(ctx)
	if f.err != nil {
		f.Log.Warn("read the figures for /metrics", "err", f.err)
	}
	end := time.Now()
	f.until = end.Add(max(freshFor, share*end.Sub(start)))
	return f.last, f.err
}

// age is the time since t in seconds, 0 for no time.
func age(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return max(time.Since(t).Seconds(), 0)
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
