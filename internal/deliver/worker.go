package deliver

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

// idleTime is how long a connection without work is kept.
const idleTime = 15 * time.Second

// worker sends over one connection. While the content of one message is under
// way, the envelope of the next goes along with it.
type worker struct {
	*Sender
	number  int64 // among the workers, from 0
	jobs    <-chan job
	holds   *holds
	gate    *gate
	journal *journal

	conn   mail.Conn
	served int // messages that this connection carried
	// begun tells whether the relay waits for the content of todo[0].
	begun bool
	todo  []job // taken and not settled: at most the one begun and those to be tried again
	// ended are the deliveries whose end is not written down yet, and owners
	// their portions.
	ended  []newsletter.DeliveryEnd
	owners []*portion
	goes   chan leave
	out    leave         // of the message that is at the relay, until the journal has it back
	copy   mail.Copy     // under way
	ready  mail.Content  // of the first job, where the connection was given it before
	rest   time.Duration // before the next try, while the relay wants no more connections
}

// run works until jobs is closed. ctx ends the taking of new messages and all
// waits, hard the message under way.
func (w *worker) run(ctx, hard context.Context) {
	defer w.hangUp()
	w.goes = make(chan leave, 1)
	for {
		w.makeWay(ctx)
		if !w.take(ctx) {
			return
		}
		if len(w.todo) > 0 {
			w.attempt(ctx, hard)
		}
		if w.rest > 0 && w.conn == nil {
			sleep(ctx, w.rest)
		}
	}
}

// makeWay waits while the connection of this worker is for other senders.
func (w *worker) makeWay(ctx context.Context) {
	for len(w.todo) == 0 {
		surplus, changed := w.surplus()
		if !surplus {
			return
		}
		w.flush()
		w.hangUp()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// surplus tells whether this connection is one too many, until changed is closed.
func (w *worker) surplus() (is bool, changed <-chan struct{}) {
	ours, _, changed := w.share.get()
	return w.number >= ours, changed
}

// take makes sure that there is something to do, or that the connection is one
// too many, and returns false when nothing more comes. What ended before is
// written down first, unless a job is there already, whose mark will carry it
// along.
func (w *worker) take(ctx context.Context) bool {
	if len(w.todo) > 0 || w.tryTake() {
		return true
	}
	w.flush()
	if w.gate.tries(w.conn) {
		w.hangUp() // whoever has a message is to try the relay
	}
	idle := time.NewTimer(idleTime)
	defer idle.Stop()
	for {
		surplus, changed := w.surplus()
		if surplus && ctx.Err() == nil {
			return true
		}
		select {
		case j, ok := <-w.jobs:
			if !ok || w.accept(j) {
				return ok
			}
		case <-changed:
		case <-idle.C:
			w.hangUp()
		}
	}
}

// tryTake takes a job that is there now.
func (w *worker) tryTake() bool {
	for {
		select {
		case j, ok := <-w.jobs:
			if !ok || w.accept(j) {
				return ok
			}
		default:
			return false
		}
	}
}

// accept takes a job, unless its domain is held since it was handed out: then
// it goes back with the next look at its batch.
func (w *worker) accept(j job) bool {
	if w.holds.keeps(j.Delivery) {
		j.portion.done()
		return false
	}
	w.todo = append(w.todo, j)
	return true
}

// flush writes down how the last deliveries ended.
func (w *worker) flush() {
	if len(w.ended) > 0 {
		w.record(0, time.Time{})
	}
}

// record writes down how the last deliveries ended and which one is next.
func (w *worker) record(next int64, at time.Time) bool {
	e := entry{JournalEntry: newsletter.JournalEntry{Ended: w.ended, Next: next, At: at}, back: w.out}
	w.out = w.journal.write(e, w.goes)
	w.holds.written(w.ended)
	for _, p := range w.owners {
		p.done()
	}
	w.ended, w.owners = w.ended[:0], w.owners[:0]
	return w.out.lap > 0
}

// drop forgets the first job: it is settled, or goes back to its batch.
func (w *worker) drop() {
	w.todo = append(w.todo[:0], w.todo[1:]...)
	w.begun = false
}

// giveBack leaves the first job pending for another worker or another run. An
// envelope that was begun ends with its connection.
func (w *worker) giveBack() {
	w.flush()
	if w.begun {
		w.hangUp()
	}
	w.todo[0].portion.done()
	w.drop()
}

// attempt tries to send the first job. It is marked before its content leaves,
// in the commit that records how the last one ended.
func (w *worker) attempt(ctx, hard context.Context) {
	if !w.begun && (!w.connect(ctx) || !w.pace(ctx)) || ctx.Err() != nil || w.held.Load() {
		for len(w.todo) > 0 {
			w.giveBack()
		}
		return
	}
	if !w.mark(ctx) {
		w.giveBack()
		return
	}
	j := &w.todo[0]
	if !w.begun {
		if err := w.conn.Begin(hard, w.envelope(j)); err != nil {
			w.settle(hard, err)
			return
		}
	}
	content := w.ready
	if content == nil {
		content = w.address(j)
	}
	sent, begun := w.conn.Send(hard, content, w.ahead())
	w.settle(hard, sent)
	if len(w.todo) == 0 || w.conn == nil {
		return
	}
	switch {
	case begun == nil:
		w.begun = true
	case !errors.Is(begun, mail.ErrNotBegun):
		w.settle(hard, begun)
	}
}

// mark marks the first job as being sent, and tells whether it may be.
func (w *worker) mark(ctx context.Context) bool {
	j := &w.todo[0]
	if w.begun && w.holds.keeps(j.Delivery) { // since its envelope went ahead
		return false
	}
	now := time.Now()
	if j.FirstAt.IsZero() {
		j.FirstAt = now
	}
	w.prepare(j)
	if !w.record(j.ID, now) {
		w.daily.back(now)
		w.progress.count(newsletter.DeliveryCanceled)
		return false
	}
	if cutOff(ctx) {
		w.unmark()
		return false
	}
	return true
}

// prepare gives the copy of a job to a connection that can begin with it, while
// its mark is written: a signature takes as long as a commit.
func (w *worker) prepare(j *job) {
	w.ready = nil
	if p, ok := w.conn.(mail.Preparer); ok {
		c := *w.address(j)
		w.ready = &c
		p.Prepare(&c)
	}
}

// unmark takes back the mark of the first job, which others may send by now.
func (w *worker) unmark() {
	j := &w.todo[0]
	w.ended = append(w.ended, newsletter.DeliveryEnd{ID: j.ID, State: newsletter.DeliveryPending, Attempts: j.Attempts, Doubts: j.Doubts})
	j.portion.left.Add(1)
	w.owners = append(w.owners, j.portion)
}

// ahead takes another job, if one is there that may go now, and returns its
// envelope for the relay to see early.
func (w *worker) ahead() *mail.Envelope {
	if surplus, _ := w.surplus(); surplus || w.held.Load() || !w.unpaced() || len(w.todo) == 1 && !w.tryTake() {
		return nil
	}
	e := w.envelope(&w.todo[1])
	return &e
}

// settle decides what became of the first job. Where it must be tried again
// it stays the first.
func (w *worker) settle(hard context.Context, err error) {
	j := &w.todo[0]
	o := w.holds.settle(hard, j.Delivery, err, time.Now(), w.served > 0)
	end := o.end
	w.ended, w.owners = append(w.ended, end), append(w.owners, j.portion)
	w.progress.count(end.State)
	w.report(j, end, err)
	if err != nil && end.State != newsletter.DeliveryInDoubt {
		w.daily.back(time.Now())
	}
	if err == nil {
		w.served++
		w.rest = 0
		w.gate.passed(hard)
	}
	switch o.next {
	case goOn:
		if o.refusal != nil {
			w.gate.letIn() // a refused sender would be a fault of the relay
		}
		w.drop()
		return
	case slowDown:
		w.drop()
		w.slowDown(hard, end, err)
		for len(w.todo) > 0 {
			w.giveBack()
		}
		return
	case relayFault:
		w.gate.failed(hard, err)
	}
	// The delivery is pending: write that down, and keep the job as a new one,
	// since its portion has counted the old.
	w.hangUp()
	j.portion.left.Add(1)
	w.flush()
	j.Attempts, j.Doubts = end.Attempts, end.Doubts
}

func (w *worker) envelope(j *job) mail.Envelope {
	from := mail.ReturnPath(j.letter.Sender)
	if !from.Varies() || w.BounceToken == nil {
		return mail.Envelope{From: string(from), To: j.Email}
	}
	return mail.Envelope{From: from.For(w.BounceToken(j.Subscriber, j.Issue)), To: j.Email}
}

// address makes the copy of one recipient.
func (w *worker) address(j *job) *mail.Copy {
	token := w.Token(j.Subscriber, j.Issue)
	w.copy = mail.Copy{Template: j.letter.Template, Recipient: mail.Recipient{
		Email:            j.Email,
		Name:             j.Name,
		MessageID:        mail.MessageID(w.MessageIDKey, j.Issue, j.Subscriber, j.letter.Domain),
		UnsubscribeURL:   j.letter.UnsubscribeURL + token,
		UnsubscribeToken: token,
		Joined:           w.day(j.JoinedAt),
		Date:             j.FirstAt,
	}}
	return &w.copy
}

// connect makes sure that there is a connection. Without one the delivery goes
// back to its batch: ctx ended, or there may be no more connections and another
// worker must send it.
func (w *worker) connect(ctx context.Context) bool {
	if w.conn != nil && w.conn.Usable() {
		return ctx.Err() == nil
	}
	w.flush()
	w.hangUp()
	for ctx.Err() == nil {
		if surplus, _ := w.surplus(); surplus {
			return false
		}
		conn, enough := w.gate.dial(ctx)
		if conn != nil {
			w.conn, w.served = conn, 0
			return true
		}
		if enough {
			w.tire()
			return false
		}
	}
	return false
}

// tire makes the worker rest before its next connection, twice as long as the
// last time.
func (w *worker) tire() { w.rest = min(max(2*w.rest, gateFirst), gateMax) }

// slowDown gives up the connection for a while, because the relay asked for
// less: others go on. Where there are none and it takes no mail at all, the
// relay as a whole rests.
func (w *worker) slowDown(ctx context.Context, end newsletter.DeliveryEnd, err error) {
	w.flush()
	conn := w.disconnect()
	if !w.gate.tooMany(ctx, conn, end.State == newsletter.DeliveryPending, err) {
		w.tire()
	}
}

// pace waits for the rate, unless others get the connection; a delivery that
// ended is written down before a wait that can be felt.
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
	if !w.sleep(ctx, d) {
		r.Cancel()
		w.daily.back(time.Now())
		return false
	}
	return true
}

// sleep waits for d, and returns false when ctx ended or the connection became
// one too many first.
func (w *worker) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		surplus, changed := w.surplus()
		if surplus {
			return false
		}
		select {
		case <-t.C:
			return true
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// unpaced tells whether neither rate nor daily limit holds the messages; with
// one, each waits for its turn alone.
func (w *worker) unpaced() bool { return w.limit.Limit() == rate.Inf && w.Daily == 0 }

func (w *worker) hangUp() {
	if conn := w.disconnect(); conn != nil {
		w.gate.hungUp(conn)
	}
}

// disconnect closes the connection, of which the gate is to hear, and returns
// it; nil where there was none.
func (w *worker) disconnect() mail.Conn {
	conn := w.conn
	w.begun, w.conn = false, nil
	if conn != nil {
		if err := conn.Close(); err != nil {
			w.Log.Debug("close connection", "err", err)
		}
	}
	return conn
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
