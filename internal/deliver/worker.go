package deliver

import (
	"context"
	"log/slog"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

// idleTime is how long a connection without work is kept.
const idleTime = 15 * time.Second

// worker sends over one connection, one message after the other.
type worker struct {
	*Sender
	jobs    <-chan job
	gate    *gate
	journal *journal

	conn   mail.Conn
	served int // messages that this connection carried
	ended  *newsletter.DeliveryEnd
	owner  *portion // of ended
	buf    []byte
	rest   time.Duration // before the next try, while the relay wants no more connections
}

// run works until jobs is closed. ctx ends the taking of new messages and all
// waits, hard the message under way.
func (w *worker) run(ctx, hard context.Context) {
	defer w.hangUp()
	for {
		j, ok := w.next()
		if !ok {
			return
		}
		for w.attempt(ctx, hard, &j) {
		}
		if w.rest > 0 && w.conn == nil {
			sleep(ctx, w.rest)
		}
	}
}

// next waits for a job. What ended before is written down first unless a job
// is there already, whose mark will carry it along.
func (w *worker) next() (job, bool) {
	select {
	case j, ok := <-w.jobs:
		if !ok {
			w.flush()
		}
		return j, ok
	default:
	}
	w.flush()
	idle := time.NewTimer(idleTime)
	defer idle.Stop()
	for {
		select {
		case j, ok := <-w.jobs:
			return j, ok
		case <-idle.C:
			w.hangUp()
		}
	}
}

// flush writes down how the last delivery ended.
func (w *worker) flush() {
	if w.ended != nil {
		w.record(0, time.Time{})
	}
}

// record writes down how the last delivery ended and which one is next.
func (w *worker) record(next int64, at time.Time) bool {
	goes := w.journal.write(newsletter.JournalEntry{Ended: w.ended, Next: next, At: at})
	if w.ended != nil {
		w.ended = nil
		w.owner.done()
	}
	return goes
}

// attempt tries to send a job, and tells whether it must be tried again at
// once. What is not sent when ctx ends stays pending.
func (w *worker) attempt(ctx, hard context.Context, j *job) (again bool) {
	if !w.connect(ctx) || !w.pace(ctx) || w.held.Load() {
		w.flush()
		j.portion.done()
		return false
	}
	now := time.Now()
	if j.FirstAt.IsZero() {
		j.FirstAt = now
	}
	if !w.record(j.ID, now) {
		w.daily.back(now)
		w.progress.count(newsletter.DeliveryCanceled)
		j.portion.done()
		return false
	}
	err := w.conn.Send(hard, w.address(j))
	w.buf = w.buf[:0]
	end, next := w.Retry.settle(j.Delivery, err, time.Now(), w.Resend, w.served > 0)
	w.ended, w.owner = &end, j.portion
	w.progress.count(end.State)
	w.report(j, end, err)
	if err != nil && end.State != newsletter.DeliveryInDoubt {
		w.daily.back(now)
	}
	if err == nil {
		w.served++
		w.gate.passed(hard)
	}
	switch next {
	case goOn:
		return false
	case relayFault:
		w.gate.failed(hard, err)
	}
	// The delivery is pending: write that down, and hand the job on as a new
	// one, since the portion has counted the old.
	w.hangUp()
	j.portion.left.Add(1)
	w.flush()
	j.Attempts, j.Doubts = end.Attempts, end.Doubts
	return true
}

// address makes the message of one recipient.
func (w *worker) address(j *job) mail.Message {
	token := w.Token(j.Subscriber, j.Issue)
	w.buf = j.letter.Append(w.buf[:0], mail.Recipient{
		Email:            j.Email,
		Name:             j.Name,
		MessageID:        mail.MessageID(w.MessageIDKey, j.Issue, j.Subscriber, j.letter.Domain),
		UnsubscribeURL:   j.letter.UnsubscribeURL + token,
		UnsubscribeToken: token,
		Date:             j.FirstAt,
	})
	return mail.Message{From: j.letter.Sender, To: j.Email, Data: w.buf}
}

// connect makes sure that there is a connection. Without one the delivery goes
// back to its batch: ctx ended, or the relay wants no more connections and
// another worker must send it.
func (w *worker) connect(ctx context.Context) bool {
	if w.conn != nil && w.conn.Usable() {
		return ctx.Err() == nil
	}
	w.flush()
	w.hangUp()
	for ctx.Err() == nil {
		conn, enough := w.gate.dial(ctx)
		if conn != nil {
			w.conn, w.served, w.rest = conn, 0, 0
			return true
		}
		if enough {
			w.rest = min(max(2*w.rest, gateFirst), gateMax)
			return false
		}
	}
	return false
}

// pace waits for the rate; a delivery that ended is written down before a
// wait that can be felt.
func (w *worker) pace(ctx context.Context) bool {
	if !w.daily.take(time.Now()) {
		return false
	}
	r := w.limit.Reserve()
	d := r.Delay()
	if d <= 0 {
		return ctx.Err() == nil
	}
	w.flush()
	if !sleep(ctx, d) {
		r.Cancel()
		w.daily.back(time.Now())
		return false
	}
	return true
}

func (w *worker) hangUp() {
	if w.conn == nil {
		return
	}
	if err := w.conn.Close(); err != nil {
		w.Log.Debug("close connection", "err", err)
	}
	w.gate.hungUp()
	w.conn = nil
}

// report logs what did not go as it should; what is tried again is no news.
func (w *worker) report(j *job, end newsletter.DeliveryEnd, err error) {
	if err == nil {
		return
	}
	level, next := slog.LevelInfo, ""
	if end.State == newsletter.DeliveryPending || end.State == newsletter.DeliveryDeferred {
		level = slog.LevelDebug
	}
	if !end.NextAt.IsZero() {
		next = end.NextAt.UTC().Format(time.RFC3339)
	}
	w.Log.Log(context.Background(), level, "delivery not sent", "issue", j.Issue, "subscriber", j.Subscriber, "state", string(end.State),
		"attempts", end.Attempts, "next_at", next, "err", err)
}
