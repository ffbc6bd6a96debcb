package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"threadmill/internal/newsletter"
)

// AddSubscribers inserts or completes subscribers in one transaction and tells
// for each what that changed. It never raises anybody from unsubscribed,
// bounced, complained or suppressed; one who is active or pending takes such a
// status over. A mailbox that is suppressed enters as suppressed, and one that
// enters as suppressed stays so for good. Whoever was forgotten does not enter,
// and is Kept.
func (s *Store) AddSubscribers(ctx context.Context, subs []newsletter.Subscriber) ([]newsletter.AddResult, error) {
	records := make([]newsletter.SubscriberRecord, len(subs))
	for i, sub := range subs {
		records[i].Subscriber = sub
	}
	additions, err := s.AddRecords(ctx, records)
	if err != nil {
		return nil, err
	}
	results := make([]newsletter.AddResult, len(additions))
	for i, a := range additions {
		results[i] = a.Result
	}
	return results, nil
}

// AddRecords is AddSubscribers with all that is known of them. Who is on the
// list already keeps what they chose themselves, and their history. An import
// without an id is entered together with the first who refers to it, and has
// its id from then on.
func (s *Store) AddRecords(ctx context.Context, records []newsletter.SubscriberRecord) ([]newsletter.Addition, error) {
	additions := make([]newsletter.Addition, len(records))
	var imports map[*newsletter.Import]int64
	err := s.tx(ctx, func(tx *sql.Tx) (err error) {
		// The transaction watches ctx; SQLite's driver would start a goroutine for
		// each statement that does.
		ctx := context.WithoutCancel(ctx)
		if err := s.alone(ctx, tx, aloneAudience); err != nil {
			return err
		}
		a := adder{dialect: s.dialect, tx: tx, now: msNow(), statements: map[int]*sql.Stmt{}, imports: map[*newsletter.Import]int64{}}
		defer func() { err = errors.Join(err, a.close()) }()
		for i := 0; i < len(records); i += addRows {
			end := min(i+addRows, len(records))
			if err := a.part(ctx, records[i:end], additions[i:end]); err != nil {
				return err
			}
		}
		imports = a.imports
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("add subscribers: %w", cmp.Or(ctx.Err(), err))
	}
	for imp, id := range imports {
		imp.ID = id
	}
	return additions, nil
}

// addRows is how many subscribers are looked up by one statement, and entered
// by one: a server far away is asked three times for them, not three times a row,
// and SQLite takes two thirds of the time.
const addRows = 250

// adder is one transaction that adds subscribers.
type adder struct {
	dialect
	tx           *sql.Tx
	now          int64
	veil         veil
	find, barred *sql.Stmt
	barring      bool              // there are suppressions
	statements   map[int]*sql.Stmt // that enter so many
	imports      map[*newsletter.Import]int64

	// Of the part that is being added, by key.
	known      map[string]newsletter.Subscriber
	suppressed map[string]bool
	fresh      map[string]int // place in entering
	entering   []*newsletter.SubscriberRecord
	args       []any
}

// part adds at most addRows.
func (a *adder) part(ctx context.Context, records []newsletter.SubscriberRecord, additions []newsletter.Addition) error {
	if err := a.look(ctx, records); err != nil {
		return err
	}
	a.fresh, a.entering = map[string]int{}, a.entering[:0]
	for i := range records {
		var err error
		if additions[i], err = a.add(ctx, &records[i]); err != nil {
			return fmt.Errorf("add %s: %w", records[i].Email, err)
		}
	}
	return a.enter(ctx)
}

// look reads who is known or suppressed.
func (a *adder) look(ctx context.Context, records []newsletter.SubscriberRecord) (err error) {
	if a.find == nil {
		if a.veil, err = veiled(ctx, a.tx); err != nil {
			return err
		}
		if err := a.tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM suppressions)`).Scan(&a.barring); err != nil {
			return err
		}
		if a.find, err = a.tx.PrepareContext(ctx, `SELECT `+subscriberColumns+` FROM subscribers WHERE key`+a.among+` ORDER BY id`+a.forUpdate); err != nil {
			return err
		}
		if a.barred, err = a.tx.PrepareContext(ctx, `SELECT key FROM suppressions WHERE key`+a.among); err != nil {
			return err
		}
	}
	keys := make([]string, len(records), 2*len(records))
	for i, rec := range records {
		keys[i] = rec.Key
	}
	list, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	a.known, a.suppressed = map[string]newsletter.Subscriber{}, map[string]bool{}
	err = eachOf(ctx, a.find, func(rows *sql.Rows) error {
		sub, err := scanSubscriber(rows.Scan)
		a.known[sub.Key] = sub
		return err
	}, string(list))
	if err != nil {
		return err
	}
	if !a.barring {
		return nil
	}
	if len(a.veil) > 0 {
		for _, rec := range records {
			keys = append(keys, a.veil.hide(rec.Key))
		}
		if list, err = json.Marshal(keys); err != nil {
			return err
		}
	}
	return eachOf(ctx, a.barred, func(rows *sql.Rows) error {
		var key string
		err := rows.Scan(&key)
		a.suppressed[key] = true
		return err
	}, string(list))
}

// barredKey tells whether a mailbox never gets mail, and whether its owner was
// forgotten.
func (a *adder) barredKey(key string) (suppressed, forgotten bool) {
	return a.suppressed[key], len(a.veil) > 0 && a.suppressed[a.veil.hide(key)]
}

func (a *adder) add(ctx context.Context, rec *newsletter.SubscriberRecord) (newsletter.Addition, error) {
	if i, twice := a.fresh[rec.Key]; twice {
		return a.completeFresh(ctx, a.entering[i], rec)
	}
	suppressed, forgotten := a.barredKey(rec.Key)
	if forgotten { // also where they are asked again and did not answer yet
		return newsletter.Addition{Result: newsletter.Kept}, nil
	}
	if old, known := a.known[rec.Key]; known {
		return a.complete(ctx, old, rec.Subscriber)
	}
	switch {
	case rec.Bare && suppressed:
		return newsletter.Addition{Result: newsletter.Unchanged}, nil
	case rec.Bare:
		a.suppressed[rec.Key] = true
		return newsletter.Addition{Result: newsletter.Added, Became: newsletter.SubscriberSuppressed}, a.suppress(ctx, rec)
	}
	enter := *rec
	a.fresh[rec.Key] = len(a.entering)
	a.entering = append(a.entering, &enter)
	if suppressed && rec.Status != newsletter.SubscriberSuppressed {
		enter.Status, enter.Reason, enter.Since = newsletter.SubscriberSuppressed, "", time.Time{}
		return newsletter.Addition{Result: newsletter.Kept}, nil
	}
	added := newsletter.Addition{Result: newsletter.Added, Became: rec.Status}
	if rec.Status != newsletter.SubscriberSuppressed {
		return added, nil
	}
	return added, a.suppress(ctx, rec)
}

// suppress keeps the mailbox of a record from ever getting mail, for the reason
// that it has.
func (a *adder) suppress(ctx context.Context, rec *newsletter.SubscriberRecord) error {
	a.barring = true
	at := a.now
	if !rec.Since.IsZero() {
		at = ms(rec.Since)
	}
	return suppressAt(ctx, a.tx, rec.Key, plain(cmp.Or(rec.Suppression, rec.Reason, importReason)), at)
}

// importReason stands in the records of what an import changed.
const importReason = "imported"

// merged fills in what is missing of somebody on the list.
func merged(old, sub newsletter.Subscriber) (next newsletter.Subscriber, mailed, changed bool) {
	next = old
	if next.Name == "" {
		next.Name = plain(sub.Name)
	}
	for _, t := range sub.Tags {
		if !slices.Contains(next.Tags, t) {
			next.Tags = append(slices.Clip(next.Tags), t)
		}
	}
	mailed = old.Status == newsletter.SubscriberActive || old.Status == newsletter.SubscriberPending
	if mailed && sub.Status != newsletter.SubscriberPending {
		next.Status = sub.Status
	}
	return next, mailed, next.Name != old.Name || next.Status != old.Status || len(next.Tags) != len(old.Tags)
}

func addition(old, next newsletter.Subscriber, mailed, changed bool) newsletter.Addition {
	switch {
	case !mailed:
		return newsletter.Addition{Result: newsletter.Kept}
	case old.Status != next.Status:
		return newsletter.Addition{Result: newsletter.Completed, Became: next.Status}
	case changed:
		return newsletter.Addition{Result: newsletter.Completed}
	}
	return newsletter.Addition{Result: newsletter.Unchanged}
}

// complete fills in what is missing of a known subscriber.
func (a *adder) complete(ctx context.Context, old, sub newsletter.Subscriber) (newsletter.Addition, error) {
	next, mailed, changed := merged(old, sub)
	if changed {
		if err := a.update(ctx, old, next); err != nil {
			return newsletter.Addition{}, err
		}
		a.known[sub.Key] = next
	}
	return addition(old, next, mailed, changed), nil
}

// completeFresh is complete for one who enters with the same part.
func (a *adder) completeFresh(ctx context.Context, enter, rec *newsletter.SubscriberRecord) (newsletter.Addition, error) {
	old := enter.Subscriber
	next, mailed, changed := merged(old, rec.Subscriber)
	enter.Subscriber = next
	if old.Status != next.Status {
		enter.Reason, enter.Since = importReason, time.Time{}
		if next.Status == newsletter.SubscriberSuppressed {
			if err := a.suppress(ctx, rec); err != nil {
				return newsletter.Addition{}, err
			}
		}
	}
	return addition(old, next, mailed, changed), nil
}

func (a *adder) update(ctx context.Context, old, next newsletter.Subscriber) error {
	tags, err := encodeTags(next.Tags)
	if err != nil {
		return err
	}
	_, err = a.tx.ExecContext(ctx, `UPDATE subscribers SET name = $2, tags = $3 WHERE id = $1`, old.ID, next.Name, tags)
	if err != nil || old.Status == next.Status {
		return err
	}
	if next.Status == newsletter.SubscriberSuppressed {
		a.barring = true
		if err := suppress(ctx, a.tx, old.Key, importReason); err != nil {
			return err
		}
	}
	return setStatus(ctx, a.tx, old.ID, next.Status, importReason)
}

func encodeTags(tags []string) (string, error) {
	if len(tags) == 0 {
		return "[]", nil
	}
	b, err := json.Marshal(tags)
	return string(b), err
}

// The columns of a subscriber who enters.
const (
	enterColumns = `key, email, name, status, status_reason, status_at, tags, created_at, frequency, wants, paused_until, bounces, import`
	enterCount   = 13
)

// enter inserts those who are new, in their order.
func (a *adder) enter(ctx context.Context) error {
	if len(a.entering) == 0 {
		return nil
	}
	if err := a.insert(ctx, a.entering); err != nil {
		return err
	}
	return a.history(ctx)
}

func (a *adder) insert(ctx context.Context, list []*newsletter.SubscriberRecord) error {
	if err := a.prepare(ctx, len(list)); err != nil {
		return err
	}
	a.args = a.args[:0]
	for _, rec := range list {
		if err := a.row(ctx, rec); err != nil {
			return fmt.Errorf("add %s: %w", rec.Email, err)
		}
	}
	res, err := a.statements[len(list)].ExecContext(ctx, a.args...)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n != int64(len(list)) {
		err = errRaced
	}
	return err
}

// errRaced tells that somebody else entered one of those whom the transaction
// did not find; it is run again.
var errRaced = errors.New("somebody signed up meanwhile")

// prepare makes the statement that enters n.
func (a *adder) prepare(ctx context.Context, n int) (err error) {
	if a.statements[n] != nil {
		return nil
	}
	var q strings.Builder
	q.WriteString(`INSERT INTO subscribers (` + enterColumns + `) VALUES `)
	for i := range n {
		if i > 0 {
			q.WriteString(", ")
		}
		q.WriteString("(" + a.parameters(1+i*enterCount, enterCount) + ")")
	}
	q.WriteString(` ON CONFLICT (key) DO NOTHING`)
	a.statements[n], err = a.tx.PrepareContext(ctx, q.String()) //nolint:sqlclosecheck // by adder.close
	return err
}

// row puts the columns of one who enters behind the arguments.
func (a *adder) row(ctx context.Context, rec *newsletter.SubscriberRecord) error {
	tags, err := encodeTags(rec.Tags)
	if err != nil {
		return err
	}
	wants, err := encodeTags(rec.Wants)
	if err != nil {
		return err
	}
	origin, err := a.origin(ctx, rec.Import)
	if err != nil {
		return err
	}
	created, since := a.now, a.now
	if !rec.CreatedAt.IsZero() {
		created = ms(rec.CreatedAt)
	}
	if !rec.Since.IsZero() {
		since = ms(rec.Since)
	}
	frequency := rec.Frequency
	if frequency == "" {
		frequency = newsletter.FrequencyEach
	}
	a.args = append(a.args, rec.Key, rec.Email, plain(rec.Name), string(rec.Status), plain(rec.Reason), since, tags, created,
		string(frequency), wants, msOrNull(rec.PausedUntil), rec.Bounces, origin)
	return nil
}

// origin is the id of an import, which is entered where it has none.
func (a *adder) origin(ctx context.Context, imp *newsletter.Import) (sql.NullInt64, error) {
	if imp == nil {
		return sql.NullInt64{}, nil
	}
	if imp.ID != 0 {
		return sql.NullInt64{Int64: imp.ID, Valid: true}, nil
	}
	id := a.imports[imp]
	if id == 0 {
		err := a.tx.QueryRowContext(ctx, `INSERT INTO imports (at, file, consent) VALUES ($1, $2, $3) RETURNING id`,
			ms(imp.At), plain(imp.File), plain(imp.Consent)).Scan(&id)
		if err != nil {
			return sql.NullInt64{}, fmt.Errorf("enter the import: %w", err)
		}
		a.imports[imp] = id
	}
	return sql.NullInt64{Int64: id, Valid: true}, nil
}

// history enters the events of those who just entered.
func (a *adder) history(ctx context.Context) error {
	for _, rec := range a.entering {
		for _, e := range rec.Events {
			_, err := a.tx.ExecContext(ctx, `INSERT INTO subscriber_events (subscriber, at, kind, issue, form, network, text)
				SELECT id, $2, $3, $4, $5, $6, $7 FROM subscribers WHERE key = $1`, rec.Key, ms(e.At), string(e.Kind),
				sql.NullInt64{Int64: e.Issue, Valid: e.Issue != 0}, plain(e.Form), plain(e.Network), plain(e.Text))
			if err != nil {
				return fmt.Errorf("enter the history of %s: %w", rec.Email, err)
			}
		}
	}
	return nil
}

func (a *adder) close() error {
	var errs []error
	for _, stmt := range a.statements {
		errs = append(errs, closeStatement(stmt))
	}
	return errors.Join(append(errs, closeStatement(a.find), closeStatement(a.barred))...)
}

func closeStatement(stmt *sql.Stmt) error {
	if stmt == nil {
		return nil
	}
	return stmt.Close()
}

// numbered are n parameters in SQL, from the number on.
func numbered(from, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", from+i)
	}
	return b.String()
}

// eachOf is each for a prepared statement.
func eachOf(ctx context.Context, stmt *sql.Stmt, scan func(*sql.Rows) error, args ...any) error {
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
