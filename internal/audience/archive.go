package audience

import (
	"archive/zip"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"threadmill/internal/newsletter"
)

// The bounds of an archive. What is bigger than maxLoose may not be packed
// tighter than maxRatio: no list of people is.
const (
	maxMembers = 100_000
	maxMember  = 4 << 30
	maxLoose   = 64 << 20
	maxRatio   = 100
	maxLeft    = 1000
)

// statusOfFile is the status that the name of a file tells: Mailchimp hands out
// one for each, subscribed_members_export_….csv and so on. Those in its file of
// people who never signed up are not wanted.
func statusOfFile(name string) (status newsletter.SubscriberStatus, wanted bool) {
	before, _, cut := strings.Cut(strings.ToLower(path.Base(name)), "_")
	if cut {
		switch before {
		case "unsubscribed":
			return newsletter.SubscriberUnsubscribed, true
		case "cleaned":
			return newsletter.SubscriberBounced, true
		case "nonsubscribed", "archived", "transactional":
			return "", false
		}
	}
	return "", true
}

// isList tells whether a file of an archive is a list of subscribers, by the
// names that the services use: Substack's email_list.NAME.csv, Mailchimp's
// …_members_export_….csv and …_email_audience_export_….csv, and those that
// begin or end with what is in them. Substack's posts/ hold addresses, too.
func isList(name string) bool {
	name = strings.ToLower(name)
	dir, base := path.Split(name)
	base, isCSV := strings.CutSuffix(base, ".csv")
	if !isCSV || strings.HasPrefix(base, ".") || strings.Contains("/"+dir, "/posts/") || strings.Contains("/"+dir, "/__macosx/") {
		return false
	}
	for _, part := range []string{"email_list", "members_export", "audience_export", "subscriber", "members", "contacts"} {
		if strings.HasPrefix(base, part) || strings.Contains(base, "_"+part) || strings.Contains(base, "-"+part) || strings.HasSuffix(base, part) {
			return true
		}
	}
	return false
}

// IsArchive tells by the first bytes of a file whether it is for ImportArchive.
func IsArchive(begin []byte) bool { return strings.HasPrefix(string(begin), "PK\x03\x04") }

// ImportArchive is Import for a zip of such files, as the services hand them
// out. Those that hold who left are read first. Nothing is unpacked to disk.
func (a *Audience) ImportArchive(ctx context.Context, r io.ReaderAt, size int64, opt ImportOptions) (ImportReport, error) {
	im := a.importing(opt)
	if err := im.archive(ctx, r, size); err != nil {
		return im.report, fmt.Errorf("import subscribers: %w", err)
	}
	return im.report, nil
}

func (im *importing) archive(ctx context.Context, r io.ReaderAt, size int64) error {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return fmt.Errorf("open the archive: %w", err)
	}
	if len(z.File) > maxMembers {
		return fmt.Errorf("the archive has %d files; unpack those with subscribers and import them", len(z.File))
	}
	var lists []*zip.File
	for _, f := range z.File {
		_, wanted := statusOfFile(f.Name)
		switch {
		case f.FileInfo().IsDir():
		case wanted && isList(f.Name):
			lists = append(lists, f)
		case len(im.report.Left) < maxLeft:
			im.report.Left = append(im.report.Left, CleanName(clip(f.Name, 200)))
		}
	}
	if len(lists) == 0 {
		return errors.New("the archive holds no list of subscribers that is known by its name; unpack the one that is, and import it")
	}
	slices.SortStableFunc(lists, func(a, b *zip.File) int { return cmp.Compare(rank(a), rank(b)) })
	for _, f := range lists {
		if err := im.open(ctx, f); err != nil {
			return fmt.Errorf("%s: %w", CleanName(clip(f.Name, 200)), err)
		}
	}
	return nil
}

// rank puts those who left before those who stayed.
func rank(f *zip.File) int {
	if status, _ := statusOfFile(f.Name); status != "" {
		return 0
	}
	return 1
}

func (im *importing) open(ctx context.Context, f *zip.File) error {
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	im.member = CleanName(clip(f.Name, 200))
	im.report.Read = append(im.report.Read, im.member)
	said, _ := statusOfFile(f.Name)
	err = im.file(ctx, &bounded{r: in, packed: int64(min(f.CompressedSize64, maxMember))}, f.Name, said)
	im.done += im.in.n
	if errors.Is(err, errEmpty) {
		im.warn("is empty")
		return nil
	}
	return err
}

// bounded ends with an error where a file of an archive grows beyond reason,
// whatever its header says.
type bounded struct {
	r            io.Reader
	packed, read int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.read += int64(n)
	if b.read > maxMember || b.read > maxLoose && b.read/maxRatio > b.packed {
		return n, fmt.Errorf("%d bytes of the archive unpack to more than %d MB, as no list of people does; unpack it and import the file if it is one", b.packed, b.read>>20)
	}
	return n, err
}
