package web

import (
	"strconv"
	"strings"
)

// choose returns the representation that a client wants most by its
// Accept-Encoding; of those it wants alike the first, save that the plain one,
// which list begins with, comes last. One that refuses all gets the plain one,
// which RFC 9110, section 12.5.3 leaves to the server.
func choose(list []representation, accept []string) *representation {
	best, most := &list[0], 0
	if len(accept) == 0 {
		return best
	}
	for i := range list[1:] {
		r := &list[i+1]
		if q := quality(accept, r.coding); q > most {
			best, most = r, q
		}
	}
	if best != &list[0] && quality(accept, "identity") > most {
		return &list[0]
	}
	return best
}

// quality returns how much a coding is wanted, from 0 to 1000. The plain coding
// is wanted least of all where it is not named.
func quality(accept []string, coding string) int {
	other := -1
	for _, field := range accept {
		for part := range strings.SplitSeq(field, ",") {
			name, params, weighted := strings.Cut(part, ";")
			name = strings.Trim(name, " \t")
			q := 1000
			if weighted {
				q = weight(params)
			}
			if strings.EqualFold(name, coding) || coding == "gzip" && strings.EqualFold(name, "x-gzip") {
				return q
			}
			if name == "*" {
				other = q
			}
		}
	}
	if other >= 0 && coding != "identity" {
		return other
	}
	return 0
}

// weight reads the parameter q in thousandths; one that is none counts as 0,
// which is safe.
func weight(params string) int {
	name, value, _ := strings.Cut(strings.Trim(params, " \t"), "=")
	if !strings.EqualFold(strings.TrimRight(name, " \t"), "q") {
		return 0
	}
	q, err := strconv.ParseFloat(strings.Trim(value, " \t"), 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 0
	}
	return int(q*1000 + 0.5)
}
