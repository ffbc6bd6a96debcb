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

// MaxPictures bounds what the pictures add to a mail, in octets on the wire,
// where it carries them: base64 makes 57 octets a line of 78.
func MaxPictures(embedded bool) int {
	if !embedded {
		return 0
	}
	return maxEmbedded / 57 * 80 // and a header for each
}

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
			id := fmt.Sprintf("%x@%s", sha256.Sum256(content), domainOf(p.o.Letterhead.From.Address))
			there := slices.ContainsFunc(list, func(i mail.Inline) bool { return i.ID == id })
			if len(content) == 0 || !there && len(content) > left {
				continue
			}
			picture.ContentID = id
			t.Pictures[name] = picture // a map of this mail alone
			if !there {
				left -= len(content)
				list = append(list, mail.Inline{ID: id, Type: picture.Type, Content: content})
			}
		}
	}
	return list, nil
}

// shown are those of the pictures that the HTML shows.
func shown(list []mail.Inline, html string) []mail.Inline {
	return slices.DeleteFunc(slices.Clone(list), func(i mail.Inline) bool { return !strings.Contains(html, "cid:"+i.ID) })
}
