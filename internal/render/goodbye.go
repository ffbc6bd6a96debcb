package render

import (
	"time"

	"threadmill/internal/newsletter"
)

// Unsubscribe is what the page behind an unsubscribe link shows: the question
// with a button, that it is done, or that the link is not valid.
type Unsubscribe struct {
	Action string // where the button posts to
	Email  string // masked: the page may be seen by others
	Done   bool
	// Invalid says that the link's token is not one of ours.
	Invalid bool
	// Choose is the page of the preferences, which takes the other forms; empty
	// where there is nothing to choose.
	Choose string
	Fresh  bool // done a moment ago
	Return bool // they may come back
	Thanks bool // they said why
	Back   bool // they came back
	// PausedUntil is the end of a pause that was asked for, if one was.
	PausedUntil time.Time
}

// Option is something that a form offers.
type Option struct {
	Value, Title string
	On           bool // chosen already
}

// reasons are the words of what may be said about leaving. Which was chosen is
// kept as it is said in English, since the author reads it.
func reasons() []string { return []string{"why_often", "why_other", "why_time", "why_never"} }

type unsubscribePage struct {
	page
	Action, Email, Choose, Paused              string
	Done, Invalid, Fresh, Return, Thanks, Back bool
	Reasons                                    []Option
}

// UnsubscribePage is one sentence and, where there is something to decide, one
// button; what is offered besides stands below. It holds no script and changes
// nothing when it is fetched.
func (t *Templates) UnsubscribePage(pub newsletter.Publication, p Unsubscribe) ([]byte, error) {
	data := unsubscribePage{
		page: t.placeless(pub), Action: p.Action, Email: p.Email, Choose: p.Choose,
		Done: p.Done, Invalid: p.Invalid, Fresh: p.Fresh, Return: p.Return, Thanks: p.Thanks, Back: p.Back,
	}
	data.Title = data.say("unsubscribe")
	if !p.PausedUntil.IsZero() {
		data.Paused = data.date(wordDate, p.PausedUntil.In(zone(pub)))
	}
	if p.Done && p.Choose != "" && p.Email != "" && !p.Thanks {
		english := t.words.speak(newsletter.Publication{}, "en")
		for _, name := range reasons() {
			title, err := english.Word(name)
			if err != nil {
				return nil, err
			}
			data.Reasons = append(data.Reasons, Option{Value: title, Title: data.say(name)})
		}
	}
	return t.page(unsubscribeFile, data)
}

// PreferencesStep is one of the pages about what a reader chose.
type PreferencesStep string

// The steps.
const (
	StepForm   PreferencesStep = ""
	StepErase  PreferencesStep = "erase" // asks before all is erased
	StepErased PreferencesStep = "erased"
	StepMove   PreferencesStep = "move" // asks whether an address is to be used
	StepMoved  PreferencesStep = "moved"
	StepTaken  PreferencesStep = "taken" // it cannot be
	StepBad    PreferencesStep = "bad"   // the link's token is not one of ours
)

// Preferences is what the page of what a reader chose shows.
type Preferences struct {
	Step           PreferencesStep
	Action, Leave  string // where the forms post to, and the page to unsubscribe
	Email          string // masked
	Saved          bool
	Left, Return   bool   // they are not on the list, and may come back
	Back           bool   // they just did
	Asked, Refused string // another address, written to or not one at all
	Name           string
	Topics         []Option
	Monthly        bool
	PausedUntil    time.Time // of a pause that has an end
	Open           bool      // a pause that has none
}

type preferencesPage struct {
	page
	Step                                               string
	Action, Leave, Email, Asked, Refused, Paused, Name string
	Saved, Left, Return, Back, Monthly, Open           bool
	Topics                                             []Option
}

// PreferencesPage is the form with what a reader chose, or a step that follows
// from it. It holds no script and changes nothing when it is fetched.
func (t *Templates) PreferencesPage(pub newsletter.Publication, p Preferences) ([]byte, error) {
	data := preferencesPage{
		page: t.placeless(pub), Step: string(p.Step), Action: p.Action, Leave: p.Leave, Email: p.Email, Asked: p.Asked, Refused: p.Refused,
		Name: p.Name, Saved: p.Saved, Left: p.Left, Return: p.Return, Back: p.Back, Monthly: p.Monthly, Open: p.Open, Topics: p.Topics,
	}
	data.Title = data.say("preferences")
	if !p.PausedUntil.IsZero() {
		data.Paused = data.date(wordDate, p.PausedUntil.In(zone(pub)))
	}
	return t.page(preferencesFile, data)
}
