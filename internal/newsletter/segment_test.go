package newsletter

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSegment(t *testing.T) {
	for _, tt := range []struct {
		tags  []string
		want  Segment
		shown string
		err   string
	}{
		{nil, nil, "", ""},
		{[]string{"members", " vip  list", "members"}, Segment{"members", "vip list"}, "members, vip list", ""},
		{[]string{"members", "! london"}, Segment{"members", "!london"}, "members, !london", ""},
		{[]string{"*"}, Segment{"*"}, "", ""},
		{[]string{"*", "members"}, nil, "", `"*" stands for everybody; write it alone`},
		{[]string{"!*"}, nil, "", `"*" stands for everybody; write it alone`},
		{[]string{"!"}, nil, "", `"!" names no tag; write one such as members, or "!members" for all but those`},
	} {
		got, err := ParseSegment(tt.tags)
		if text := ""; err != nil {
			text = err.Error()
			if text != tt.err {
				t.Errorf("%q: %v, want %s", tt.tags, err, tt.err)
			}
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || got.String() != tt.shown || tt.err != "" {
			t.Errorf("%q: %q, want %q %s", tt.tags, got, tt.shown, diff)
		}
	}
}

func TestSegmentSame(t *testing.T) {
	for _, tt := range []struct {
		a, b Segment
		same bool
	}{
		{nil, Segment{"*"}, true},
		{Segment{"Members", "!London"}, Segment{"!london", "members"}, true},
		{Segment{"vip list"}, Segment{"vip-list"}, true},
		{Segment{"members"}, Segment{"!members"}, false},
		{Segment{"members"}, nil, false},
	} {
		if got := tt.a.Same(tt.b); got != tt.same {
			t.Errorf("%q and %q: %v", tt.a, tt.b, got)
		}
	}
	if own := (Segment{"a"}).Or(Segment{"b"}); !own.Same(Segment{"a"}) {
		t.Error("the publication's segment replaces that of a thread")
	}
	if TagKey("\u2728 ") != TagKey("\u2728") || TagKey("\u2728") == TagKey("\u2b50") {
		t.Error("tags without a letter are mixed up")
	}
}
