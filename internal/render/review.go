package render

import (
	"time"

	"threadmill/internal/newsletter"
)

const reviewFile = "review.html"

// Review is what the page shows that takes the author's answer about an issue to
// come.
type Review struct {
	newsletter.Review
	Action  string                  // where the buttons post to
	Asked   newsletter.ReviewAnswer // what the link asked for; empty for none
	Invalid bool                    // the link is not one of ours
}

type reviewPage struct {
	page
	Action, Day, Issue, Answer string
	Buttons                    []Option
	Over, Invalid              bool
}

// ReviewPage asks with a button for each answer, what the link asked for first,
// and says what was answered. It changes nothing when it is fetched.
func (t *Templates) ReviewPage(pub newsletter.Publication, r Review) ([]byte, error) {
	data := reviewPage{
		page: t.placeless(pub), Action: r.Action, Issue: r.Title, Answer: string(r.Answer), Over: r.Over, Invalid: r.Invalid,
	}
	data.Title = data.say("review")
	data.Day = t.Moment(pub, r.Due)
	answers := []newsletter.ReviewAnswer{newsletter.ReviewHold, newsletter.ReviewSkip, newsletter.ReviewSend}
	for _, answer := range answers {
		o := Option{Value: string(answer), Title: data.say("review_" + string(answer)), On: answer == r.Asked}
		if o.On {
			data.Buttons = append([]Option{o}, data.Buttons...)
		} else {
			data.Buttons = append(data.Buttons, o)
		}
	}
	return t.page(reviewFile, data)
}

// Moment is a day with its time, in the publication's language and zone.
func (t *Templates) Moment(pub newsletter.Publication, at time.Time) string {
	return t.Date(pub, at) + at.In(zone(pub)).Format(", 15:04 MST")
}
