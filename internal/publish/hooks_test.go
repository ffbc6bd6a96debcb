package publish_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
)

// The hook before a slot runs at slots and at nothing else, sees what it has
// done to the folder published, and keeps no issue back.
func TestBeforeSlot(t *testing.T) {
	inTime(t, func(t *testing.T) {
		var d *desk
		var slots []string
		s := weekly
		s.hooks.BeforeSlot = func(_ context.Context, slot newsletter.Slot) error {
			slots = append(slots, slot.Key)
			d.threads(len(slots)) // as a pull brings them
			return errors.New("no route")
		}
		d = newDesk(t, s)
		d.due()
		until("2000-01-03T09:00:00Z")
		if got := d.due(); got != "2024-01-01-t0" {
			t.Errorf("at the slot: %q", got)
		}
		d.due()
		if kinds := d.warnings(); !slices.Equal(kinds, []string{"before_slot: hooks.before_slot: no route"}) {
			t.Errorf("warnings %q", kinds)
		}
		until("2000-01-10T09:00:00Z")
		if got := d.due(); got != "2024-01-02-t1" {
			t.Errorf("a week later: %q", got)
		}
		want := []string{"2000-01-03T09:00[Europe/London]", "2000-01-10T09:00[Europe/London]"}
		if diff := cmp.Diff(want, slots); diff != "" {
			t.Error(diff)
		}
	})
}

// The mail waits until the hook after the site has ended well, which is called
// for each change of the site, and again by the next process after a crash.
func TestAfterSite(t *testing.T) {
	t.Parallel()
	var calls [][]int64
	failure := errors.New("no route")
	s := settings{hooks: publish.Hooks{AfterSite: func(_ context.Context, due []int64) error {
		calls = append(calls, due)
		return failure
	}}}
	d := newDesk(t, s)
	d.threads(1)
	d.subscribers(1)
	d.now()
	open := func(d *desk) int {
		list, err := d.store.OpenBatches(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	for range 2 {
		if _, err := d.WriteSite(t.Context()); !errors.Is(err, failure) {
			t.Errorf("write the site: %v", err)
		}
	}
	if n := open(d); n != 0 {
		t.Error("mail may go before the hook ended well")
	}
	wantContains(t, "page", d.read("public/threads/t0/index.html"), "The thread number 0")
	if kinds := d.warnings(); !slices.Equal(kinds, []string{"after_site: hooks.after_site: no route"}) {
		t.Errorf("warnings %q", kinds)
	}
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	failure, s.dir = nil, d.dir
	d = newDesk(t, s)
	d.writeSite()
	d.writeSite() // nothing has changed
	if n := open(d); n != 1 || len(d.warnings()) > 0 {
		t.Errorf("mail is held by %q after the hook", d.warnings())
	}
	d.write("threads/2024-01-01-t0.md", strings.Replace(text(0), "begins", "started", 1))
	d.writeSite()
	if diff := cmp.Diff([][]int64{{1}, {1}, {1}, {}}, calls, cmp.Transformer("empty", func(l []int64) []int64 { return append([]int64{}, l...) })); diff != "" {
		t.Error(diff)
	}
}

// An upload that failed after an edit is due for the next process too, which has
// nothing to write, and so is one that nobody has tried yet.
func TestAfterSiteIsOwed(t *testing.T) {
	t.Parallel()
	var failure error
	calls := 0
	s := settings{hooks: publish.Hooks{AfterSite: func(context.Context, []int64) error {
		calls++
		return failure
	}}}
	d := newDesk(t, s)
	s.dir = d.dir
	wanted := func(want bool) {
		t.Helper()
		if got, err := d.SiteWanted(t.Context()); err != nil || got != want {
			t.Errorf("wanted %t %v, want %t", got, err, want)
		}
	}
	again := func() {
		t.Helper()
		if err := d.store.Close(); err != nil {
			t.Fatal(err)
		}
		d = newDesk(t, s)
	}
	d.threads(1)
	wanted(true)
	d.writeSite()
	wanted(false)
	failure = errors.New("no route")
	if _, err := d.store.AskRebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		again()
		wanted(true)
		if _, err := d.WriteSite(t.Context()); !errors.Is(err, failure) {
			t.Errorf("write the site: %v", err)
		}
	}
	s.hooks = publish.Hooks{} // the author gives up
	again()
	wanted(false)
	d.writeSite()
	if left := d.warnings(); len(left) > 0 || calls != 3 {
		t.Errorf("%d calls, warnings %q without a hook", calls, left)
	}
}

// A slot that comes while a hook hangs is not one that was missed.
func TestHookMakesNoSlotLate(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := weekly
		s.catchUp = "skip"
		s.hooks.AfterSite = func(context.Context, []int64) error {
			until("2000-01-03T09:04:00Z")
			return nil
		}
		d := newDesk(t, s)
		d.threads(2)
		until("2000-01-03T08:58:00Z")
		d.writeSite()
		if got := d.due(); got != "2024-01-01-t0" {
			t.Errorf("after the hook: %q", got)
		}
		until("2000-01-10T09:04:00Z")
		wantNothing(t, "after nobody was there", d.due(), "was missed")
	})
}

// A hook that is cut off by the end of the program says nothing about it.
func TestAfterSiteCutOff(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	d := newDesk(t, settings{hooks: publish.Hooks{AfterSite: func(context.Context, []int64) error {
		stop()
		return errors.New("signal: killed")
	}}})
	d.threads(1)
	d.subscribers(1)
	d.now()
	if _, err := d.WriteSite(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("write the site: %v", err)
	}
	if due, err := d.store.SiteDue(t.Context()); err != nil || len(due) != 1 || len(d.warnings()) > 0 {
		t.Errorf("due %v, warnings %q, %v", due, d.warnings(), err)
	}
}

// warnings are those that stand.
func (d *desk) warnings() []string {
	d.t.Helper()
	list, err := d.store.Warnings(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	var texts []string
	for _, w := range list {
		texts = append(texts, w.Kind+": "+w.Text)
	}
	return texts
}
