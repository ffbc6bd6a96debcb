package deliver

import "time"

// ProbesAfter are the DefaultProbes with another wait before the first: the
// second is four times as long, and those after it sixteen times.
func ProbesAfter(first time.Duration) Probes {
	p := DefaultProbes()
	p.Refused = []time.Duration{first, 4 * first, 16 * first}
	return p
}
