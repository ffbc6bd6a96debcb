package newsletter

import "time"

// Hub is how a WebSub hub stands, which is told of feeds that changed.
type Hub struct {
	URL string `json:"url"`
	// Told are the digests of the feeds as it last took them, by their addresses.
	Told map[string]string `json:"told"`

	// Since is when it first refused what it is to take now, zero while it does
	// not. NextAt is the next try, Failure what was in the way of the last one,
	// and Tried a digest of what that was about.
	Since   time.Time `json:"since,omitzero"`
	NextAt  time.Time `json:"next_at,omitzero"`
	Fails   int       `json:"fails,omitempty"`
	Failure string    `json:"failure,omitempty"`
	Tried   string    `json:"tried,omitempty"`
}
