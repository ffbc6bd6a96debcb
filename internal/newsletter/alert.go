package newsletter

import "time"

// Alert is a fault that stands in the operator's way until it is over.
type Alert struct {
	Kind  string    `json:"kind"`
	Text  string    `json:"text"`
	Since time.Time `json:"since"`
	// AllMail tells of a hold that keeps all mail back, so that a mail about it
	// would not leave either.
	AllMail bool `json:"-"`
}

// The kinds of warnings that are also the events of which the operator hears.
// Any other kind is a fault that holds mail.
const (
	WarningSlotEmpty      = "slot_empty"
	WarningThreadsLow     = "threads_low"
	WarningThreadBroken   = "thread_broken"
	WarningThreadExpiring = "thread_expiring"
	WarningInDoubt        = "in_doubt"
	WarningDiskLow        = "disk_low"
	WarningBlamed         = "mail_blamed" // many bounces that are about us
	WarningBackup         = "backup_failed"
	WarningBounces        = "bounces"    // of an issue, more than a share
	WarningComplaints     = "complaints" // the same
)

// EventHookFailed is the event of a hook that failed and holds no mail.
const EventHookFailed = "hook_failed"

// The kinds of warnings of mail that is held.
const (
	WarningHeld    = "held"    // by a server's refusal
	WarningMessage = "message" // an issue's message cannot be read
)
