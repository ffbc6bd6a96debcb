package newsletter

import "time"

// Hold keeps mail back because a server refuses it for a reason that lies with
// us. It is lifted when a probe is accepted: one message, sent at ProbeAt.
type Hold struct {
	Domain  string    `json:"domain"` // of the recipients; empty for the relay as a whole
	Kind    HoldKind  `json:"kind"`
	Reason  string    `json:"reason"` // the server's words
	Since   time.Time `json:"since"`
	ProbeAt time.Time `json:"probe_at"`
	Step    int       `json:"step"` // probes that failed
	// Undo are the deliveries that failed by the refusals that led to the
	// hold: they are to become pending again, and their subscribers active.
	Undo []int64 `json:"-"`
	// Lifted holds are over, but not all that waited for them is awake yet.
	Lifted bool `json:"-"`
}

// HoldKind is why mail is held.
type HoldKind string

// The kinds of holds.
const (
	HoldPolicy   HoldKind = "policy"   // policy, reputation or authentication
	HoldQuota    HoldKind = "quota"    // the relay takes no more for now
	HoldRefusals HoldKind = "refusals" // too many recipients were refused with the same answer
)

// Bounce is what a refusal for good says about an address.
type Bounce string

// The kinds of bounces; the zero value says nothing about the address.
const (
	BounceDead   Bounce = "dead"   // there is no such address: it gets no mail any more
	BounceFull   Bounce = "full"   // full or disabled: counted
	BounceSoft   Bounce = "soft"   // given up after the relay took it, for a reason that says nothing: counted
	BouncePolicy Bounce = "policy" // about us, told after the relay took it: nobody is blamed
)
