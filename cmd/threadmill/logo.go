package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"threadmill/internal/newsletter"
	"threadmill/internal/picture"
)

// maxLogo bounds the file of the logo, in bytes.
const maxLogo = 1 << 20

// logo reads the publication's logo: what pages and mails show, and the file of
// the site, nil for one that stands elsewhere on the web.
func (p *publication) logo() (newsletter.Logo, []byte, error) {
	name := p.Publication.Logo
	if name == "" || strings.HasPrefix(name, "https://") {
		return newsletter.NewLogo(name, 0, 0), nil, nil
	}
	source, err := readLogo(p.Path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return newsletter.Logo{}, nil, fmt.Errorf("there is no file %s; write it or leave the key out", name)
	}
	if err == nil {
		err = picture.Verify(name, source, true)
	}
	if err != nil {
		return newsletter.Logo{}, nil, fmt.Errorf("%s cannot be shown: %w", name, err)
	}
	plan, err := picture.Look("logo"+path.Ext(name), "", source, true)
	if err != nil {
		return newsletter.Logo{}, nil, fmt.Errorf("%s cannot be shown: %w", name, err)
	}
	made, err := plan.Make(source)
	if err != nil {
		return newsletter.Logo{}, nil, fmt.Errorf("%s cannot be shown: %w", name, err)
	}
	file := plan.Files[0]
	return newsletter.NewLogo("logo"+path.Ext(file.Name), file.Width, file.Height), made[file.Name], nil
}

func readLogo(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxLogo+1))
	if err == nil && len(b) > maxLogo {
		err = fmt.Errorf("it is larger than %d MB", maxLogo>>20)
	}
	return b, err
}
