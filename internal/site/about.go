package site

import (
	"threadmill/internal/render"
)

// about are the pages about the publication.
func (s *Site) about(c content) []document {
	list := []document{
		{render.SubscribePath + "index.html", func() ([]byte, error) {
			return s.opt.Templates.SubscribePage(s.opt.Publication, render.Day(s.opt.Publication, c.next), len(c.tags) > 0)
		}},
		{render.PrivacyPath + "index.html", func() ([]byte, error) {
			return s.opt.Templates.PrivacyPage(s.opt.Publication, s.opt.Privacy)
		}},
	}
	if s.opt.Publication.About == "" {
		return list
	}
	return append(list, document{render.AboutPath + "index.html", func() ([]byte, error) {
		return s.opt.Templates.AboutPage(s.opt.Publication)
	}})
}
