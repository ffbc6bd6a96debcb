package newsletter

import "time"

// Letter is a mail to one person that is no issue, such as the one that asks
// whether they want the newsletter.
type Letter struct {
	ID         int64
	Subscriber int64
	Kind       LetterKind
	// Email is where it goes if not to the subscriber's address.
	Email     string
	CreatedAt time.Time
	NextAt    time.Time // when it leaves or is tried again; none: it is over
	Attempts  int
}

// LetterKind says what a letter is for.
type LetterKind string

// The kinds of letters. One that is silent costs what the others cost and is
// never sent: the answer to a sign-up must not tell who may get mail.
const (
	LetterConfirm LetterKind = "confirm"
	LetterRemind  LetterKind = "remind" // the same question, once more
	LetterKnown   LetterKind = "known"  // signed up already
	LetterMove    LetterKind = "move"   // confirms another address
	LetterSilent  LetterKind = "silent"
)
