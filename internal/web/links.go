package web

import (
	"strings"

	"threadmill/internal/feed"
	"threadmill/internal/newsletter"
)

// feedLinks are the Link headers by which a subscriber finds the hubs of a feed
// and the address under which they know it (WebSub, section 4). Only feeds that
// the hubs hear of have them.
func feedLinks(pub newsletter.Publication, hubs []string) map[string][]string {
	if len(hubs) == 0 {
		return nil
	}
	links := make(map[string][]string)
	for _, name := range []string{feed.RSSPath, feed.AtomPath, feed.JSONPath} {
		var parts []string
		for _, hub := range hubs {
			parts = append(parts, "<"+hub+`>; rel="hub"`)
		}
		parts = append(parts, "<"+pub.Link(name)+`>; rel="self"`)
		links[name] = []string{strings.Join(parts, ", ")}
	}
	return links
}
