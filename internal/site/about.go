package site

import (
	"threadmill/internal/render"
)

// about are the pages about the publication.
func (s *Site) about(c content) []document {
	list := []document{
		{name: render.SubscribePath + "index.html", make: func() ([]byte, error) {
			return s.opt.Templates.SubscribePage(s.opt.Publication, s.opt.Templates.Day(s.opt.Publication, c.next), len(c.tags) > 0)
		}},
		{name: render.PrivacyPath + "index.html", make: func() ([]byte, error) {
			return s.opt.Templates.PrivacyPage(s.opt.Publication, s.opt.Privacy)
		}},
	}
	if s.opt.Publication.About == "" {
		return list
	}
	return append(list, document{name: render.AboutPath + "index.html", make: func() ([]byte, error) {
		return s.opt.Templates.AboutPage(s.opt.Publication)
	}})
}
