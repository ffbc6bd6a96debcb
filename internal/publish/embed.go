package publish

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/site"
)

// maxEmbedded bounds the pictures that travel in a mail, in bytes. Those beyond
// it are shown from the site: every copy carries them all.
const maxEmbedded = 1 << 20

// embeddedWidth is how wide a picture is that travels in a mail, at least.
const embeddedWidth = 600

// embed names the pictures of the threads as parts of the mail and returns them,
// where that is wanted. The threads are those of [site.Site.Pictured].
func (p *Publisher) embed(ctx context.Context, s *site.Site, threads []newsletter.Thread) ([]mail.Inline, error) {
	if !p.o.EmbedPictures {
		return nil, nil
	}
	var list []mail.Inline
	left := maxEmbedded
	for _, t := range threads {
		for _, name := range slices.Sorted(maps.Keys(t.Pictures)) {
			picture := t.Pictures[name]
			if len(picture.Files) == 0 {
				continue
			}
			content, err := s.PictureFor(ctx, t, name, embeddedWidth)
			if err != nil {
				return nil, err
			}
			if len(content) == 0 || len(content) > left {
				continue
			}
			left -= len(content)
			picture.ContentID = fmt.Sprintf("%x@%s", sha256.Sum256(content), domainOf(p.o.Letterhead.From.Address))
			t.Pictures[name] = picture // a map of this mail alone
			if !slices.ContainsFunc(list, func(i mail.Inline) bool { return i.ID == picture.ContentID }) {
				list = append(list, mail.Inline{ID: picture.ContentID, Type: picture.Type, Content: content})
			}
		}
	}
	return list, nil
}

// shown are those of the pictures that the HTML shows.
func shown(list []mail.Inline, html string) []mail.Inline {
	return slices.DeleteFunc(slices.Clone(list), func(i mail.Inline) bool { return !strings.Contains(html, "cid:"+i.ID) })
}
