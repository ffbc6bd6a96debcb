package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// URLs is a list of addresses.
type URLs []string

// String is the form of the config.
func (u URLs) String() string { return strings.Join(u, " ") }

// maxURLs bounds a list of addresses.
const maxURLs = 10

// parseURLs reads addresses with spaces between, each once.
func parseURLs(text string) (URLs, error) {
	var list URLs
	for address := range strings.FieldsSeq(text) {
		if _, err := parseCall(address); err != nil {
			return nil, err
		}
		if !slices.Contains(list, address) {
			list = append(list, address)
		}
	}
	if len(list) > maxURLs {
		return nil, fmt.Errorf("%d addresses; write %d at most", len(list), maxURLs)
	}
	return list, nil
}

// parseFormerURLs reads addresses of sites with spaces between, each once.
func parseFormerURLs(text string) (URLs, error) {
	var list URLs
	for address := range strings.FieldsSeq(text) {
		site, err := parseURL(address)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(list, site) {
			list = append(list, site)
		}
	}
	if len(list) > maxURLs {
		return nil, fmt.Errorf("%d addresses; write %d at most", len(list), maxURLs)
	}
	return list, nil
}

// Days is a list of days, and of ranges of days whose both ends belong to them:
// 2026-12-24, 2026-12-24..2027-01-01.
type Days []string

// String is the form of the config.
func (d Days) String() string { return strings.Join(d, " ") }

// maxDays is above what anybody writes by hand in a life.
const maxDays = 1000

// parseDays reads days and ranges with spaces between, each once.
func parseDays(text string) (Days, error) {
	var list Days
	for word := range strings.FieldsSeq(text) {
		first, last, ranged := strings.Cut(word, "..")
		if !ranged {
			last = first
		}
		from, err := time.Parse(time.DateOnly, first)
		until, end := time.Parse(time.DateOnly, last)
		if err != nil || end != nil {
			return nil, fmt.Errorf("%q is not a day; write one such as 2026-12-24, or a range such as 2026-12-24..2027-01-01", word)
		}
		if until.Before(from) {
			return nil, fmt.Errorf("%q ends before it begins; write the earlier day first", word)
		}
		if !slices.Contains(list, word) {
			list = append(list, word)
		}
	}
	if len(list) > maxDays {
		return nil, fmt.Errorf("%d days; write %d at most, or ranges", len(list), maxDays)
	}
	return list, nil
}

// Networks is a list of networks; an address alone is one that holds no other.
type Networks []netip.Prefix

// String is the form of the config.
func (n Networks) String() string {
	words := make([]string, len(n))
	for i, p := range n {
		words[i] = p.String()
		if p.IsSingleIP() {
			words[i] = p.Addr().String()
		}
	}
	return strings.Join(words, " ")
}

// maxNetworks is above the list of any proxy service.
const maxNetworks = 100

// parseNetworks reads addresses and networks with spaces between, each once.
func parseNetworks(text string) (Networks, error) {
	var list Networks
	for word := range strings.FieldsSeq(text) {
		network, err := parseNetwork(word)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(list, network) {
			list = append(list, network)
		}
	}
	if len(list) > maxNetworks {
		return nil, fmt.Errorf("%d networks; write %d at most", len(list), maxNetworks)
	}
	return list, nil
}

// Tags name a part of the subscribers: who has any of them, and none of those
// that begin with an exclamation mark.
type Tags []string

// String is the form of the config.
func (t Tags) String() string { return strings.Join(t, " ") }

// maxSegment bounds how many tags name a part of the subscribers.
const maxSegment = 50

// parseTags reads tags with spaces or commas between, each once.
func parseTags(text string) (Tags, error) {
	var list Tags
	for tag := range strings.FieldsFuncSeq(text, func(r rune) bool { return unicode.IsSpace(r) || r == ',' }) {
		if strings.Trim(tag, "!*") == "" {
			return nil, fmt.Errorf("%q is not a tag; write one such as members, \"!members\" for all but those, and nothing for everybody", tag)
		}
		if !slices.Contains(list, tag) {
			list = append(list, tag)
		}
	}
	if len(list) > maxSegment {
		return nil, fmt.Errorf("%d tags; write %d at most", len(list), maxSegment)
	}
	return list, nil
}

// parseFormTags reads tags that are given, and so stand for nothing but themselves.
func parseFormTags(text string) (Tags, error) {
	list, err := parseTags(text)
	for _, tag := range list {
		if strings.ContainsAny(tag, "!*") {
			return nil, fmt.Errorf("%q is not a tag that a form can give; write the tag alone, such as garden", tag)
		}
	}
	return list, err
}

// parseNetwork reads an address or a network (RFC 4632, section 3.1). One of IPv4
// that is written in IPv6 becomes what it stands for.
func parseNetwork(word string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(word); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(word)
	if err != nil {
		return p, fmt.Errorf("%q is not an address or a network; write one such as 127.0.0.1, 10.0.0.0/8 or fd00::/8", word)
	}
	if addr, bits := p.Addr(), p.Bits(); addr.Is4In6() && bits >= 96 {
		p = netip.PrefixFrom(addr.Unmap(), bits-96)
	}
	if p.Masked() != p {
		return p, fmt.Errorf("%q names an address in a network; write %s for the network, or the address alone", word, p.Masked())
	}
	return p, nil
}

// Size counts bytes.
type Size int

// The bounds of a size that can be set: an entry should fit in, and no file of
// the site may be longer.
const (
	minSize = 10_000
	maxSize = 64_000_000
)

var units = []struct {
	name  string
	bytes Size
}{{"MB", 1_000_000}, {"KB", 1_000}}

// String is the form of the config, such as "1 MB".
func (s Size) String() string {
	for _, u := range units {
		if s != 0 && s%u.bytes == 0 {
			return fmt.Sprintf("%d %s", s/u.bytes, u.name)
		}
	}
	return strconv.Itoa(int(s))
}

// parseSize reads a number of bytes, or one of KB or MB.
func parseSize(text string) (Size, error) {
	number, factor := strings.ToUpper(strings.TrimSpace(text)), Size(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, factor = strings.TrimSpace(rest), u.bytes
		}
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n > maxSize || Size(n)*factor < minSize || Size(n)*factor > maxSize {
		return 0, fmt.Errorf("%q is not a size from %v to %v; write one such as 1 MB or 500 KB", text, Size(minSize), Size(maxSize))
	}
	return Size(n) * factor, nil
}
