package deliver

import (
	"testing"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

func TestClassify(t *testing.T) {
	for _, tt := range []struct {
		stage    mail.Stage
		code     int
		enhanced string
		text     string
		want     class
		bounce   newsletter.Bounce
	}{
		{code: 550, enhanced: "5.1.1", text: "no such user", want: aboutAddress, bounce: newsletter.BounceDead},
		{code: 550, enhanced: "5.1.2", text: "bad destination system", want: aboutAddress, bounce: newsletter.BounceDead},
		{code: 556, enhanced: "5.1.10", text: "null MX", want: aboutAddress, bounce: newsletter.BounceDead},
		{code: 550, enhanced: "5.1.3", text: "bad syntax", want: aboutAddress},
		{code: 550, text: "No such user here", want: aboutAddress, bounce: newsletter.BounceDead},
		{code: 550, text: "bob@example.com: Recipient address unknown", want: aboutAddress, bounce: newsletter.BounceDead},
		{code: 550, text: "user unknown", want: aboutAddress, bounce: newsletter.BounceDead},
		{code: 550, text: "no", want: aboutAddress},
		{code: 550, enhanced: "5.2.1", text: "mailbox disabled", want: aboutAddress, bounce: newsletter.BounceFull},
		{code: 552, enhanced: "5.2.2", text: "quota exceeded, account limit", want: aboutAddress, bounce: newsletter.BounceFull},
		{code: 452, enhanced: "4.2.2", text: "over quota", want: aboutLater, bounce: newsletter.BounceFull},
		{code: 452, text: "mailbox over quota", want: aboutLater},
		{code: 552, enhanced: "5.3.4", text: "message size exceeds limit", want: aboutAddress},
		{code: 554, enhanced: "5.6.0", text: "message limit of lines", want: aboutAddress},

		{code: 550, enhanced: "5.7.1", text: "user unknown", want: aboutUs},
		{code: 550, enhanced: "5.7.515", text: "access denied", want: aboutUs},
		{code: 550, text: "Your message was BLOCKED", want: aboutUs},
		{code: 554, enhanced: "5.0.0", text: "see https://www.spamhaus.org/query", want: aboutUs},
		{code: 554, text: "poor reputation", want: aboutUs},
		{code: 553, text: "blocked", want: aboutAddress},
		{code: 530, text: "log in first", want: aboutUs},
		{code: 451, enhanced: "4.7.1", text: "greylisted by policy", want: aboutLater},

		{code: 550, enhanced: "5.4.5", text: "Daily user sending limit exceeded", want: aboutQuota},
		{code: 550, text: "Daily sending quota exceeded", want: aboutQuota},
		{code: 550, enhanced: "5.7.1", text: "you have exceeded your messages per hour limit", want: aboutQuota},
		{code: 452, text: "quota exceeded", want: aboutQuota},
		{code: 454, text: "Throttling failure: Daily message quota exceeded", want: aboutQuota},
		{stage: mail.StageMail, code: 452, enhanced: "4.3.1", text: "sending limit", want: aboutQuota},
		{code: 421, enhanced: "4.7.28", text: "unusual rate", want: aboutQuota},

		{stage: mail.StageConnect, code: 421, enhanced: "4.7.28", text: "too fast", want: aboutPace},
		{code: 454, text: "Throttling failure: Maximum sending rate exceeded", want: aboutPace},
		{code: 421, text: "too many connections", want: aboutPace},
		{code: 450, enhanced: "4.3.2", text: "not now", want: aboutPace},
		{code: 451, text: "later", want: aboutLater},
	} {
		r := &mail.Refusal{Stage: tt.stage, Code: tt.code, Enhanced: tt.enhanced, Text: tt.text}
		if r.Stage == "" {
			r.Stage = mail.StageRcpt
		}
		if got := classify(r); got != tt.want {
			t.Errorf("%v: class %d, want %d", r, got, tt.want)
		}
		if got := r.Bounce(); got != tt.bounce {
			t.Errorf("%v: bounce %q, want %q", r, got, tt.bounce)
		}
	}
}
