package feed

// historyNS is the namespace of RFC 5005.
const historyNS = "http://purl.org/syndication/history/1.0"

// link is one of a document to another.
type link struct{ rel, href, kind string }

// links are those of a document to itself, to its neighbours in the archive
// and to the hubs, of the format that one of the paths has.
func (c channel) links(kind string, one func(Paths) string) []link {
	var list []link
	add := func(rel string, p Paths) {
		if path := one(p); path != "" {
			list = append(list, link{rel, c.pub.Link(path), kind})
		}
	}
	add("self", c.Paths)
	add("current", c.Current)
	add("prev-archive", c.Older)
	add("next-archive", c.Newer)
	for _, hub := range c.Hubs {
		list = append(list, link{rel: "hub", href: hub})
	}
	return list
}
