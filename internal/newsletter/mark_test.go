package newsletter_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"threadmill/internal/newsletter"
)

// TestMarkAgainst tells when a site knows more than a database.
func TestMarkAgainst(t *testing.T) {
	at := time.UnixMilli(1_800_000_000_000)
	own := newsletter.Mark{Publication: "p", Instance: "i", Issue: 3, PublishedAt: at}
	accepted := newsletter.Mark{Publication: "q", Instance: "j", Issue: 7}
	for name, c := range map[string]struct {
		site  newsletter.Mark
		ahead string // in the error; empty for none
		mend  string
	}{
		"no mark":            {newsletter.Mark{}, "", ""},
		"as it is":           {own, "", ""},
		"behind":             {newsletter.Mark{Publication: "p", Instance: "i", Issue: 2}, "", ""},
		"later issue":        {newsletter.Mark{Publication: "p", Instance: "i", Issue: 4}, "shows issue 4, and this one knows 3", "recover --from HERE"},
		"same issue, other":  {newsletter.Mark{Publication: "p", Instance: "i", Issue: 3, PublishedAt: at.Add(1)}, "issue 3 there is not the one", "--take-over"},
		"other instance":     {newsletter.Mark{Publication: "p", Instance: "o", Issue: 2}, "older or newer server", "--take-over"},
		"other publication":  {newsletter.Mark{Publication: "x", Instance: "i", Issue: 2}, "another id", "--take-over"},
		"accepted":           {accepted, "", ""},
		"accepted, and more": {newsletter.Mark{Publication: "q", Instance: "j", Issue: 8}, "shows issue 8", "recover"},
	} {
		err := c.site.Against(own, accepted, "HERE")
		ahead, ok := errors.AsType[*newsletter.AheadError](err)
		switch {
		case ok != (c.ahead != ""):
			t.Errorf("%s: %v", name, err)
		case ok && (!strings.Contains(ahead.Error(), c.ahead) || !strings.Contains(ahead.Error(), c.mend)):
			t.Errorf("%s: %v", name, err)
		}
	}
}
