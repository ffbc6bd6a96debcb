package web

import (
	"net/http"
	"strings"
	"time"
)

// condition returns the status that the preconditions of a request ask for
// (RFC 9110, section 13.2.2): 304, 412, or 200 to answer in full.
func condition(h http.Header, r *representation, modified time.Time, lastModified []string) int {
	if list := h["If-Match"]; list != nil {
		if !matches(list, r.etag[0], true) {
			return http.StatusPreconditionFailed
		}
	} else if since := h["If-Unmodified-Since"]; since != nil {
		if at, err := http.ParseTime(since[0]); err == nil && modified.After(at) {
			return http.StatusPreconditionFailed
		}
	}
	if list := h["If-None-Match"]; list != nil {
		if matches(list, r.etag[0], false) {
			return http.StatusNotModified
		}
		return http.StatusOK
	}
	since := h["If-Modified-Since"]
	if since == nil || lastModified == nil {
		return http.StatusOK
	}
	if since[0] == lastModified[0] {
		return http.StatusNotModified
	}
	if at, err := http.ParseTime(since[0]); err == nil && !modified.After(at) {
		return http.StatusNotModified
	}
	return http.StatusOK
}

// matches tells whether a list of entity tags holds the tag. A strong
// comparison takes no weak tags (RFC 9110, section 8.8.3.2). It reads as far as
// it understands.
func matches(fields []string, tag string, strong bool) bool {
	for _, list := range fields {
		for {
			list = strings.TrimLeft(list, " \t,")
			if list == "" {
				break
			}
			if list[0] == '*' {
				return true
			}
			opaque, weak := strings.CutPrefix(list, "W/")
			if opaque == "" || opaque[0] != '"' {
				break
			}
			end := strings.IndexByte(opaque[1:], '"')
			if end < 0 {
				break
			}
			if opaque[:end+2] == tag && !(weak && strong) {
				return true
			}
			list = opaque[end+2:]
		}
	}
	return false
}
