package site

import (
	"encoding/json"

	"threadmill/internal/newsletter"
)

// mark tells other databases of the publication which one writes the site. A
// site that is written for a look has none.
func (s *Site) mark(c content) []document {
	if c.mark.Publication == "" {
		return nil
	}
	return []document{{name: newsletter.MarkPath, make: func() ([]byte, error) {
		m := c.mark
		m.PublishedAt = m.PublishedAt.UTC()
		text, err := json.Marshal(m)
		return append(text, '\n'), err
	}}}
}
