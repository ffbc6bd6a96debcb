package thread

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
)

func TestFormerly(t *testing.T) {
	parse := func(list string) ([]string, string) {
		th, problems := Parse("a.md", []byte("---\nparams:\n  formerly:"+list+"\n---\nA post.\n"), nil)
		var texts []string
		for _, p := range problems {
			if p.Severity == newsletter.Error && !strings.Contains(p.Text, "expected a list") {
				t.Errorf("%s keeps the thread from going out", p)
			}
			texts = append(texts, p.String())
		}
		return th.Formerly, strings.Join(texts, "\n")
	}
	var many strings.Builder
	for i := range newsletter.FormerMax + 2 {
		fmt.Fprintf(&many, "\n    - /%d", i)
	}
	tests := []struct {
		list string
		want []string
		told string
	}{
		{" /a", []string{"/a"}, ""},
		{` [/a, ~, "tag:x,1:y", 12, /a, "https://example.org/?p=1"]`, []string{"/a", "tag:x,1:y", "12", "https://example.org/?p=1"}, ""},
		{"\n    - /a\n    - //b\n    - /c", []string{"/a", "/c"}, `a.md:5: warning: params.formerly: "//b": neither an address`},
		{` ["/a\nb"]`, nil, `a.md:3: warning: params.formerly: "/a b": holds a control character: left out`},
		{` ["/\\b"]`, nil, "neither an address"},
		{" 2019/post.html", nil, "neither an address"},
		{" /" + strings.Repeat("a", 3000), nil, "longer than 2048 bytes"},
		{" [{a: b}]", nil, "expected a list of addresses and ids, found a mapping in it"},
	}
	for _, tt := range tests {
		got, told := parse(tt.list)
		if diff := cmp.Diff(tt.want, got); diff != "" || !strings.Contains(told, tt.told) || (tt.told == "") != (told == "") {
			t.Errorf("%q: %s\n%s", tt.list, told, diff)
		}
	}
	if got, told := parse(many.String()); len(got) != newsletter.FormerMax || told != "a.md:104: warning: params.formerly: more than 100: the rest is left out" {
		t.Errorf("%d, %s", len(got), told)
	}
}
