package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// wishes are what readers of the tests ask for, by name; the tags are for the
// author to give.
var wishes = map[string]struct {
	tags      []string
	frequency string
	wants     string
	paused    time.Time
}{
	"anna":  {frequency: "each"},
	"ben":   {tags: []string{"Members", "London"}, frequency: "each"},
	"carla": {tags: []string{"members"}, frequency: "each", wants: `["Go"]`},
	"dario": {frequency: "each", wants: `["bread"]`},
	"elif":  {tags: []string{"vip list"}, frequency: "monthly"},
	"femi":  {frequency: "each", paused: at(60)},
	"gina":  {frequency: "each", paused: at(1)},
	"hugo":  {tags: []string{"members"}, frequency: "monthly", wants: `["bread"]`},
}

// addWishful adds those who have wishes.
func addWishful(t testing.TB, s *store.Store) {
	t.Helper()
	var list []newsletter.Subscriber
	for _, name := range []string{"anna", "ben", "carla", "dario", "elif", "femi", "gina", "hugo"} {
		p := person(name)
		p.Tags = wishes[name].tags
		list = append(list, p)
	}
	_, err := s.AddSubscribers(t.Context(), list)
	must(t, err)
	for name, w := range wishes {
		wants := w.wants
		if wants == "" {
			wants = "[]"
		}
		must(t, s.Exec(t.Context(), `UPDATE subscribers SET frequency = $2, wants = $3 WHERE key = $1`, person(name).Key, w.frequency, wants))
		if !w.paused.IsZero() {
			must(t, s.Exec(t.Context(), `UPDATE subscribers SET paused_until = $2 WHERE key = $1`, person(name).Key, w.paused.UnixMilli()))
		}
	}
}

// readers are the names of those who have a delivery of an issue.
func readers(t testing.TB, s *store.Store, issue int64) (names []string) {
	t.Helper()
	must(t, s.SiteWritten(t.Context(), []int64{issue}))
	for _, b := range got(s.OpenBatches(t.Context(), 100))(t) {
		if b.Issue != issue {
			continue
		}
		for _, d := range got(s.TakeBatch(t.Context(), b))(t) {
			names = append(names, d.Name)
		}
	}
	return names
}

// circles are issues and who of those with wishes gets them.
var circles = []struct {
	name string
	newsletter.Circle
	want []string
	left newsletter.LeftOut
}{
	{
		"everybody",
		newsletter.Circle{Topics: []string{}},
		[]string{"anna", "ben", "gina"},
		newsletter.LeftOut{newsletter.LeftMonthly: 2, newsletter.LeftPaused: 1, newsletter.LeftWants: 2},
	},
	{
		"a topic",
		newsletter.Circle{Topics: []string{"go", "news"}},
		[]string{"anna", "ben", "carla", "gina"},
		newsletter.LeftOut{newsletter.LeftMonthly: 2, newsletter.LeftPaused: 1, newsletter.LeftWants: 1},
	},
	{
		"unknown topics",
		newsletter.Circle{},
		[]string{"anna", "ben", "carla", "dario", "gina"},
		newsletter.LeftOut{newsletter.LeftMonthly: 2, newsletter.LeftPaused: 1},
	},
	{
		"a segment",
		newsletter.Circle{To: newsletter.Segment{"members", "nobody"}, Topics: []string{"bread"}},
		[]string{"ben"},
		newsletter.LeftOut{newsletter.LeftSegment: 5, newsletter.LeftMonthly: 1, newsletter.LeftWants: 1},
	},
	{
		"all but some",
		newsletter.Circle{To: newsletter.Segment{"!London", "!VIP-List"}, Topics: []string{}},
		[]string{"anna", "gina"},
		newsletter.LeftOut{newsletter.LeftSegment: 2, newsletter.LeftMonthly: 1, newsletter.LeftPaused: 1, newsletter.LeftWants: 2},
	},
	{
		"some but not others",
		newsletter.Circle{To: newsletter.Segment{"members", "!london"}, Topics: []string{"Go"}},
		[]string{"carla"},
		newsletter.LeftOut{newsletter.LeftSegment: 6, newsletter.LeftMonthly: 1},
	},
	{
		"nobody",
		newsletter.Circle{To: newsletter.Segment{"nobody"}},
		nil,
		newsletter.LeftOut{newsletter.LeftSegment: 8},
	},
	{
		"a month",
		newsletter.Circle{Topics: []string{"go"}, Monthly: true},
		[]string{"elif"},
		newsletter.LeftOut{newsletter.LeftWants: 1},
	},
	{
		"a month for some",
		newsletter.Circle{To: newsletter.Segment{"members"}, Topics: []string{"bread"}, Monthly: true},
		[]string{"hugo"},
		newsletter.LeftOut{newsletter.LeftSegment: 1},
	},
}

func TestCircle(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		addWishful(t, s)
		for i, tt := range circles {
			issue := issueOf(int64(i + 1))
			issue.Circle = tt.Circle
			if tt.Monthly {
				issue.Month = fmt.Sprintf("2026-%02d", i)
			}
			n, left, err := s.Reach(t.Context(), tt.Circle, issue.PublishedAt)
			must(t, err)
			if diff := cmp.Diff(tt.left, left); diff != "" || n != len(tt.want) {
				t.Errorf("%s: it would reach %d, want %d; left out: %s", tt.name, n, len(tt.want), diff)
			}
			if n := got(s.Publish(t.Context(), issue, nil, snap, 2))(t); n != len(tt.want) {
				t.Errorf("%s: %d recipients", tt.name, n)
			}
			row := got(s.Issue(t.Context(), issue.Number))(t)
			if diff := cmp.Diff(tt.left, row.LeftOut); diff != "" {
				t.Errorf("%s: left out: %s", tt.name, diff)
			}
			if diff := cmp.Diff(tt.Circle, row.Circle); diff != "" || row.Month != issue.Month {
				t.Errorf("%s: circle: %s", tt.name, diff)
			}
			if diff := cmp.Diff(tt.want, readers(t, s, issue.Number)); diff != "" {
				t.Errorf("%s: readers: %s", tt.name, diff)
			}
		}
	})
}
