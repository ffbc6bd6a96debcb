package store_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
	"threadmill/internal/store/pgtest"
)

// query runs statements on a PostgreSQL database beside the store.
func query(t testing.TB, address string, statements ...string) {
	t.Helper()
	conn := got(pgx.Connect(t.Context(), address))(t)
	defer conn.Close(context.WithoutCancel(t.Context()))
	for _, s := range statements {
		_ = got(conn.Exec(t.Context(), s))(t)
	}
}

// TestPostgresAtOnce has ten processes open a database that is empty.
func TestPostgresAtOnce(t *testing.T) {
	t.Parallel()
	address := pgtest.Empty(t)
	var wg sync.WaitGroup
	keys := make([][]store.Key, 10)
	for i := range keys {
		wg.Go(func() {
			s, err := store.Open(t.Context(), address, quiet())
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if keys[i], err = s.Keys(t.Context(), store.KeyMessageIDs); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, k := range keys {
		if diff := cmp.Diff(keys[0], k); diff != "" || len(k) != 1 {
			t.Fatal("two openers have different keys:", diff)
		}
	}
}

// TestPostgresHalfMade opens a database whose maker was killed between its
// schema and its keys.
func TestPostgresHalfMade(t *testing.T) {
	t.Parallel()
	address := template.Copy(t)
	query(t, address, `DELETE FROM keys`)
	if len(got(open(t, address).Keys(t.Context(), store.KeyTokens))(t)) != 1 {
		t.Error("it has no key")
	}
}

func TestPostgresRefuses(t *testing.T) {
	t.Parallel()
	foreign := pgtest.Empty(t)
	query(t, foreign, `CREATE TABLE recipes (name TEXT)`)
	newer := template.Copy(t)
	query(t, newer, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (90000, TRUE)`)
	closed := got(net.Listen("tcp", "127.0.0.1:0"))(t)
	must(t, closed.Close())
	const secret = "hunter2"
	for _, tt := range []struct{ address, want string }{
		{foreign, "it is not a database of threadmill; set database to another name"},
		{newer, "newer than this threadmill"},
		{"postgres://ada:" + secret + "@" + closed.Addr().String() + "/news", "connection refused"},
		{"postgres://ada@" + closed.Addr().String() + "/news?password=" + secret, "connection refused"},
		{"postgres://ada:" + secret + "%zz@localhost/news", "cannot be read"},
		{"postgres://ada:" + secret + "@localhost:port/news", "cannot be read"},
		{"postgres://ada:" + secret + "@localhost/news?sslmode=perhaps", "is not valid"},
		{"postgresql://ada:" + secret + "@localhost/news?pool_max_conns=many&password=" + secret, "is not valid"},
	} {
		s, err := store.Open(t.Context(), tt.address, quiet())
		if s != nil || err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("open %s: %v, want %q", tt.address, err, tt.want)
		}
	}
}

func TestPostgresPath(t *testing.T) {
	t.Parallel()
	address := template.Lend(t)
	u := got(url.Parse(address))(t)
	u.User = url.UserPassword(u.User.Username(), "hunter2")
	q := u.Query()
	q.Set("sslpassword", "hunter2")
	u.RawQuery = q.Encode()
	if path := open(t, u.String()).Path(); path != address {
		t.Errorf("path %s, want %s", path, address)
	}
}

// TestTogether has several processes do on PostgreSQL what only one of them
// may: SQLite lets only one write anyway.
func TestTogether(t *testing.T) {
	t.Parallel()
	address := template.Lend(t)
	nodes := []*store.Store{open(t, address), open(t, address), open(t, address), open(t, address)}
	ctx := t.Context()
	each := func(do func(n int, s *store.Store)) {
		var wg sync.WaitGroup
		for n, s := range nodes {
			wg.Go(func() { do(n, s) })
		}
		wg.Wait()
	}
	// Rebuilds that are asked for at once get numbers of their own.
	var mu sync.Mutex
	asked := map[int64]bool{}
	each(func(_ int, s *store.Store) {
		for range 5 {
			n, err := s.AskRebuild(ctx)
			mu.Lock()
			if err != nil || asked[n] {
				t.Errorf("request %d twice, %v", n, err)
			}
			asked[n] = true
			mu.Unlock()
		}
	})
	// A warning is told once.
	must(t, nodes[0].Warn(ctx, "test", "text"))
	told := 0
	each(func(_ int, s *store.Store) {
		w, err := s.TakeWarning(ctx)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			t.Error(err)
		}
		if w.Kind != "" {
			told++
		}
	})
	if told != 1 {
		t.Errorf("the warning was told %d times", told)
	}
	// The same people come in from all sides, in different order.
	added := 0
	each(func(n int, s *store.Store) {
		var list []newsletter.Subscriber
		for i := range 100 {
			if n%2 == 1 {
				i = 99 - i
			}
			p := person(fmt.Sprint("p", i))
			p.Tags = []string{fmt.Sprint("node", n)}
			list = append(list, p)
		}
		results, err := s.AddSubscribers(ctx, list)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, r := range results {
			if r == newsletter.Added {
				added++
			}
		}
	})
	if added != 100 {
		t.Errorf("%d of 100 people were added", added)
	}
	for sub, err := range nodes[0].Subscribers(ctx) {
		must(t, err)
		if len(sub.Tags) != len(nodes) {
			t.Errorf("%s has the tags %v", sub.Email, sub.Tags)
		}
	}
}

// TestForeignWords keeps what PostgreSQL refuses in a text.
func TestForeignWords(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		const odd, want = "no\x00 \xff", "no\ufffd \ufffd"
		publish(t, s, 1, 1)
		must(t, s.Warn(t.Context(), "test", odd))
		must(t, s.SetHold(t.Context(), newsletter.Hold{Domain: "example.com", Kind: "policy", Reason: odd, Since: at(1), ProbeAt: at(2)}))
		end(t, s, newsletter.DeliveryEnd{ID: pending(t, s)[0].ID, State: newsletter.DeliveryFailed, Attempts: 1, Code: 550, Answer: odd, Bounce: newsletter.BounceDead})
		if list := got(s.Unsettled(t.Context(), 1))(t); len(list) != 1 || list[0].Answer != want {
			t.Errorf("%+v", list)
		}
		if list := got(s.Holds(t.Context()))(t); len(list) != 1 || list[0].Reason != want {
			t.Errorf("%+v", list)
		}
		p := person("bob")
		p.Name = odd
		_ = got(s.AddSubscribers(t.Context(), []newsletter.Subscriber{p}))(t)
	})
}

// TestPostgresLock has one holder at a time, who is told when the connection
// breaks.
func TestPostgresLock(t *testing.T) {
	t.Parallel()
	address := template.Lend(t)
	one, two := open(t, address), open(t, address)
	ctx := t.Context()
	if h := got(one.LockHolder(ctx))(t); h != nil {
		t.Errorf("held by %v before anybody came", h)
	}
	lock := got(one.Lock(ctx, "run"))(t)
	host := got(os.Hostname())(t)
	want := store.Holder{Command: "run", PID: os.Getpid(), Host: host}
	if diff := cmp.Diff(&want, got(two.LockHolder(ctx))(t)); diff != "" {
		t.Error(diff)
	}
	_, err := two.Lock(ctx, "publish")
	if locked, ok := errors.AsType[*store.LockedError](err); !ok || locked.Holder != want || !strings.Contains(err.Error(), " on "+host) {
		t.Fatalf("lock: %v, want a LockedError that names %v", err, want)
	}
	must(t, lock.Unlock())
	lock = got(two.Lock(ctx, "publish"))(t)
	held, stop := lock.Context(ctx)
	defer stop()
	must(t, held.Err())
	query(t, address, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'threadmill publish %' AND datname = current_database()`)
	<-held.Done()
	if cause := context.Cause(held); !errors.Is(cause, store.ErrLockLost) || ctx.Err() != nil {
		t.Errorf("ended by %v", cause)
	}
	must(t, lock.Unlock())
	lock = got(one.Lock(ctx, "run"))(t)
	must(t, lock.Unlock())
}

// TestPostgresGone goes on when the server has ended the connections.
func TestPostgresGone(t *testing.T) {
	t.Parallel()
	address := template.Copy(t)
	s := open(t, address)
	must(t, s.Warn(t.Context(), "one", "text"))
	query(t, address, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	for {
		if err := s.Warn(t.Context(), "two", "text"); err == nil { // the first one may meet a broken connection
			break
		}
	}
	if n := len(got(s.Warnings(t.Context()))(t)); n != 2 {
		t.Errorf("%d warnings", n)
	}
}

// TestPooler refuses a PgBouncer that shares sessions, and takes one that does
// not.
func TestPooler(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"transaction", "statement", "session"} {
		t.Run(mode, func(t *testing.T) {
			address := pgtest.Pooler(t, template.Lend(t), mode)
			s, err := store.Open(t.Context(), address, quiet())
			for errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) { // it is starting
				s, err = store.Open(t.Context(), address, quiet())
			}
			if mode != "session" {
				if err == nil || !strings.Contains(err.Error(), "pooler in transaction mode") {
					t.Errorf("open: %v", err)
				}
				return
			}
			must(t, err)
			lock := got(s.Lock(t.Context(), "run"))(t)
			must(t, lock.Unlock())
			must(t, s.Warn(t.Context(), "test", "text"))
			must(t, s.Close())
		})
	}
}

// TestLastBatches has several processes close the last batches of an issue at
// once: one of them has to see that nothing is left.
func TestLastBatches(t *testing.T) {
	t.Parallel()
	address := template.Lend(t)
	nodes := []*store.Store{open(t, address), open(t, address), open(t, address), open(t, address)}
	ctx := t.Context()
	addPeople(t, nodes[0], len(nodes))
	for number := range int64(10) {
		number++
		got(nodes[0].Publish(ctx, issueOf(number), nil, snap, 1))(t)
		must(t, nodes[0].SiteWritten(ctx, []int64{number}))
		batches := got(nodes[0].OpenBatches(ctx, 10))(t)
		if len(batches) != len(nodes) {
			t.Fatalf("%d batches", len(batches))
		}
		var wg sync.WaitGroup
		for n, s := range nodes {
			wg.Go(func() {
				list, err := s.TakeBatch(ctx, batches[n])
				if err != nil || len(list) != 1 {
					t.Errorf("batch %d: %v %v", n, list, err)
					return
				}
				_, err = s.Journal(ctx, []newsletter.JournalEntry{{Next: list[0].ID, At: at(10)}})
				if err == nil {
					_, err = s.Journal(ctx, []newsletter.JournalEntry{{Ended: ended(list[0].ID, newsletter.DeliverySent)}})
				}
				if err = errors.Join(err, s.CloseBatch(ctx, batches[n])); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if i := got(nodes[0].Issue(ctx, number))(t); i.FinishedAt.IsZero() || i.Sent != len(nodes) {
			t.Fatalf("issue %d is not finished: %+v", number, i.Counts)
		}
	}
}

// TestWithdrawnOrMarked withdraws an issue while another process begins to send
// it: either nothing leaves, or its threads are not free again.
func TestWithdrawnOrMarked(t *testing.T) {
	t.Parallel()
	address := template.Lend(t)
	one, two := open(t, address), open(t, address)
	ctx := t.Context()
	addPeople(t, one, 1)
	for number := range int64(20) {
		number++
		got(one.Publish(ctx, issueOf(number), nil, snap, 1))(t)
		must(t, one.SiteWritten(ctx, []int64{number}))
		b := got(one.OpenBatches(ctx, 1))(t)[0]
		d := got(one.TakeBatch(ctx, b))(t)[0]
		var goes, undone bool
		var wg sync.WaitGroup
		wg.Go(func() {
			list, err := one.Journal(ctx, []newsletter.JournalEntry{{Next: d.ID, At: at(10)}})
			if err != nil {
				t.Error(err)
				return
			}
			goes = list[0]
		})
		wg.Go(func() {
			var err error
			if undone, err = two.WithdrawIssue(ctx, number); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if goes == undone {
			t.Fatalf("issue %d: its message leaves: %v, it is undone: %v", number, goes, undone)
		}
		if goes {
			got(one.Journal(ctx, []newsletter.JournalEntry{{Ended: ended(d.ID, newsletter.DeliverySent)}}))(t)
			must(t, one.CloseBatch(ctx, b))
		}
	}
}
