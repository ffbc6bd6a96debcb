package audience

import (
	"errors"
	"hash/maphash"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// ErrTooMany says that there were more sign-ups than the limits allow.
var ErrTooMany = errors.New("there were too many sign-ups")

// Limits bound the sign-ups of an hour, so that nobody can send mail to
// strangers in our name. Zero is no limit.
type Limits struct {
	PerClient  int // from one address
	PerNetwork int // from one network: a /24 of IPv4, a /48 of IPv6
	PerHour    int // from everywhere
	// PerAddress bounds the letters to one address in 24 hours.
	PerAddress int
}

// The networks that one customer of a provider usually has.
const (
	network4 = 24
	network6 = 48
	client6  = 64 // the addresses of one machine (RFC 4291, section 2.5.1)
)

// hourly counts the sign-ups of an hour. It keeps only those that were let
// through, so that it holds no more than their limit.
type hourly struct {
	limits Limits

	mu       sync.Mutex
	begun    time.Time
	all      int
	clients  map[netip.Prefix]int
	networks map[netip.Prefix]int
}

// hour is how long sign-ups count.
const hour = time.Hour

// take counts a sign-up, or tells that it is one too many. Of who comes from
// this very machine, or from nobody knows where, only the sum counts: behind a
// proxy that is not named in the config all readers do.
func (c *hourly) take(from netip.Addr, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clients == nil || now.Sub(c.begun) >= hour || now.Before(c.begun) {
		c.begun, c.all = now, 0
		c.clients, c.networks = map[netip.Prefix]int{}, map[netip.Prefix]int{}
	}
	client, network := around(from)
	if over(c.all, c.limits.PerHour) || over(c.clients[client], c.limits.PerClient) || over(c.networks[network], c.limits.PerNetwork) {
		return false
	}
	c.all++
	if client.IsValid() {
		c.clients[client]++
		c.networks[network]++
	}
	return true
}

func over(n, limit int) bool { return limit > 0 && n >= limit }

// around is the client and the network of an address, invalid for one that
// stands for nobody in particular.
func around(from netip.Addr) (client, network netip.Prefix) {
	if from = from.Unmap().WithZone(""); !from.IsValid() || from.IsLoopback() {
		return client, network
	}
	single, wide := from.BitLen(), network4
	if from.Is6() {
		single, wide = client6, network6
	}
	// The error is for a number of bits that an address does not have.
	client, _ = from.Prefix(single)
	network, _ = from.Prefix(wide)
	return client, network
}

// daily counts the sign-ups of 24 hours for each mailbox, whatever the spelling
// of its address. The database counts those for one address.
type daily struct {
	most int

	mu    sync.Mutex
	begun time.Time
	seed  maphash.Seed
	boxes map[uint64]int // by a hash: nobody is kept
}

// maxBoxes bounds the mailboxes that are counted.
const maxBoxes = 1 << 20

// take counts a sign-up, or tells that it is one too many.
func (c *daily) take(box string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.boxes == nil || now.Sub(c.begun) >= day || now.Before(c.begun) || len(c.boxes) >= maxBoxes {
		c.begun, c.seed, c.boxes = now, maphash.MakeSeed(), map[uint64]int{}
	}
	key := maphash.String(c.seed, box)
	if over(c.boxes[key], c.most) {
		return false
	}
	c.boxes[key]++
	return true
}

const day = 24 * time.Hour

// mailbox is what the spellings of an address have in common that lead to one
// mailbox at many providers: nothing behind a plus counts, and at Gmail no dot.
func mailbox(key string) string {
	local, domain, _ := strings.Cut(key, "@")
	if before, _, ok := strings.Cut(local, "+"); ok && before != "" {
		local = before
	}
	if domain == "gmail.com" || domain == "googlemail.com" {
		local, domain = strings.ReplaceAll(local, ".", ""), "gmail.com"
	}
	return local + "@" + domain
}
