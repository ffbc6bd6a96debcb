package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
	"threadmill/internal/store/pgtest"
)

// lived is an SQLite publication to which everything has happened.
func lived(t *testing.T) *store.Store {
	t.Helper()
	s := openFresh(t)
	ctx := t.Context()
	publish(t, s, 40, 5)
	states := []newsletter.DeliveryState{newsletter.DeliverySent, newsletter.DeliveryFailed, newsletter.DeliveryDeferred, newsletter.DeliveryCanceled, newsletter.DeliveryInDoubt}
	for i, d := range pending(t, s)[:30] {
		journal(t, s, nil, d.ID, at(10))
		if i%6 == 5 {
			continue // it stays marked
		}
		journal(t, s, []newsletter.DeliveryEnd{{ID: d.ID, State: states[i%6], Attempts: 1, Code: 250 + i, Answer: "a\tb\\N\r\n\v\b\f ü", NextAt: at(30)}}, 0, at(11))
	}
	must(t, s.CloseBatch(ctx, newsletter.Batch{ID: 1, Issue: 1}))
	one := thread("one", "It begins.")
	addThreads(t, s, one, thread("two", "Another one."))
	got(s.Publish(ctx, issueOf(2, one), slotAt(5), snap, 500))(t)
	one.Slug = "renamed"
	must(t, update(t, s, at(12), newsletter.ThreadUpdate{Thread: one}))
	must(t, s.SetHold(ctx, newsletter.Hold{Domain: "example.com", Kind: "policy", Reason: "no", Since: at(1), ProbeAt: at(2)}))
	must(t, s.Warn(ctx, "test", "text"))
	beside(t, s, `UPDATE subscribers SET name = 'A' || char(0) || 'da' WHERE id = 3`, `UPDATE subscribers SET name = CAST(X'ff41' AS TEXT) WHERE id = 4`,
		`UPDATE issues SET message = CAST(zeroblob(200000) || X'5c2e0a' AS BLOB) WHERE number = 2`, `UPDATE threads SET source = '\.' || char(10) WHERE id = 'two'`)
	return s
}

// beside changes an SQLite database as a program that knows nothing of the
// store.
func beside(t *testing.T, s *store.Store, statements ...string) {
	t.Helper()
	db := got(sql.Open("sqlite", s.Path()+"?_pragma=busy_timeout(10000)"))(t)
	defer db.Close()
	for _, text := range statements {
		_ = got(db.ExecContext(t.Context(), text))(t)
	}
}

func TestMove(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	from, address := lived(t), pgtest.Empty(t)
	issues := got(from.Issues(ctx))(t)
	keys := got(from.Keys(ctx, store.KeyTokens))(t)
	var last store.Moving
	moved := got(from.Move(ctx, address, func(m store.Moving) { last = m }))(t)
	if want := []string{`subscribers.name of id "3"`, `subscribers.name of id "4"`}; !slices.Equal(moved.Replaced, want) || moved.ReplacedTexts != 2 {
		t.Errorf("replaced %q, want %q", moved.Replaced, want)
	}
	rows := map[string]int64{}
	for _, table := range moved.Tables {
		rows[table.Table] = table.Rows
	}
	if rows["deliveries"] != 80 || rows["keys"] != 2 || rows["former_slugs"] != 1 || last.Done != last.Total || last.Total != 2*moved.Rows {
		t.Errorf("moved %v, told of %+v", rows, last)
	}
	to := open(t, address)
	if diff := cmp.Diff(issues, got(to.Issues(ctx))(t)); diff != "" {
		t.Error("issues:", diff)
	}
	if diff := cmp.Diff(keys, got(to.Keys(ctx, store.KeyTokens))(t)); diff != "" {
		t.Error("keys:", diff)
	}
	// Life goes on: what is new has new numbers, and what is over stays over.
	addPeople(t, to, 41)
	_ = got(to.Publish(ctx, issueOf(3), slotAt(6), snap, 500))(t)
	if _, err := to.Publish(ctx, issueOf(4), slotAt(5), snap, 500); err == nil {
		t.Error("a slot that is over was published")
	}
	isMoved(t, from, to.Path())
}

// isMoved holds that an SQLite publication is closed, by whatever way one comes
// to it.
func isMoved(t *testing.T, from *store.Store, to string) {
	t.Helper()
	ctx := t.Context()
	if err := from.Warn(ctx, "test", "more"); err == nil || !strings.Contains(err.Error(), "has moved to "+to) {
		t.Errorf("a process that had it open: %v", err)
	}
	if err := from.SetRate(ctx, 5); err == nil {
		t.Error("a setting was changed")
	}
	_, err := from.Lock(ctx, "run")
	want := &store.MovedError{To: to, Done: true}
	if moved, ok := errors.AsType[*store.MovedError](err); !ok || *moved != *want {
		t.Errorf("lock: %v", err)
	}
	s, err := store.Open(ctx, from.Path(), quiet())
	if moved, ok := errors.AsType[*store.MovedError](err); !ok || *moved != *want || !strings.Contains(err.Error(), "set `database:`") {
		t.Errorf("open: %v", err)
	}
	if s == nil {
		return
	}
	if _, err := s.Move(ctx, "postgres://elsewhere.example.com/news", nil); err == nil {
		t.Error("it moved twice")
	}
	must(t, s.Close())
}

func TestMoveRefuses(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	from := openFresh(t)
	addPeople(t, from, 1)
	refused := func(address, want string) {
		t.Helper()
		if _, err := from.Move(ctx, address, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		must(t, from.Warn(ctx, "test", "still open"))
	}
	refused(filepath.Join(t.TempDir(), "other.db"), "moves to PostgreSQL")
	address := template.Copy(t)
	full := open(t, address)
	must(t, full.Warn(ctx, "test", "text"))
	refused(address, "not empty: there are rows in warnings")
	foreign := pgtest.Empty(t)
	query(t, foreign, `CREATE TABLE recipes (name TEXT)`)
	refused(foreign, "not a database of threadmill")
	other := template.Copy(t)
	query(t, other, `ALTER TABLE subscribers DROP COLUMN bounces`)
	refused(other, "subscribers has the columns")
	// Somebody is at work, here and there.
	lock := got(from.Lock(ctx, "run"))(t)
	refused(template.Copy(t), "threadmill run")
	must(t, lock.Unlock())
	busy := template.Copy(t)
	lock = got(open(t, busy).Lock(ctx, "run"))(t)
	refused(busy, "threadmill run")
	must(t, lock.Unlock())
	// What cannot be a number stops the move.
	beside(t, from, `UPDATE subscribers SET bounces = 'many'`)
	refused(busy, `subscribers.bounces of id "1" is string many, where integer belongs`)
	beside(t, from, `UPDATE subscribers SET bounces = 2`)
	canceled, stop := context.WithCancel(ctx)
	_, err := from.Move(canceled, busy, func(store.Moving) { stop() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after a stop: %v", err)
	}
	_ = got(from.Move(ctx, busy, nil))(t) // nothing of all that stays
}

// TestMoveCommitFails has the target refuse the commit, or break the connection
// over it: the file is open again, and the move can be repeated.
func TestMoveCommitFails(t *testing.T) {
	t.Parallel()
	for name, does := range map[string]string{
		"refused": `RAISE EXCEPTION 'the disk is full'`,
		"broken":  `PERFORM pg_terminate_backend(pg_backend_pid())`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			from, address := lived(t), template.Copy(t)
			query(t, address, `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN `+does+`; RETURN NULL; END $$`,
				`CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON settings DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail()`)
			if _, err := from.Move(ctx, address, nil); err == nil {
				t.Fatal("the commit did not fail")
			}
			must(t, from.Warn(ctx, "test", "open again"))
			query(t, address, `DROP FUNCTION fail CASCADE`)
			_ = got(from.Move(ctx, address, nil))(t)
			isMoved(t, from, open(t, address).Path())
		})
	}
}

// TestMoveInterrupted ends a move that was killed between the commits of the
// two databases.
func TestMoveInterrupted(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	from, address := lived(t), pgtest.Empty(t)
	_ = got(from.Move(ctx, address, nil))(t)
	to := open(t, address).Path()
	killed := func(replace, by string) *store.Store {
		t.Helper()
		beside(t, from, fmt.Sprintf(`UPDATE settings SET value = replace(value, '%s', '%s') WHERE name = 'moved'`, replace, by))
		s, err := store.Open(ctx, from.Path(), quiet())
		if moved, ok := errors.AsType[*store.MovedError](err); !ok || moved.Done || !strings.Contains(err.Error(), "interrupted") {
			t.Fatalf("open: %v", err)
		}
		return s
	}
	// After the second: it is over.
	s := killed(`"done":true`, `"done":false`)
	elsewhere := template.Copy(t)
	if _, err := s.Move(ctx, elsewhere, nil); err == nil || !strings.Contains(err.Error(), to) {
		t.Errorf("to another place: %v", err)
	}
	if moved := got(s.Move(ctx, address, nil))(t); moved.Rows != 0 {
		t.Errorf("moved again: %+v", moved)
	}
	must(t, s.Close())
	isMoved(t, from, to)
	// Before the second: it is begun again.
	query(t, address, `DROP SCHEMA public CASCADE`, `CREATE SCHEMA public`)
	s = killed(`"done":true`, `"done":false`)
	if moved := got(s.Move(ctx, address, nil))(t); moved.Rows == 0 {
		t.Errorf("moved: %+v", moved)
	}
	must(t, s.Close())
	isMoved(t, from, to)
}
