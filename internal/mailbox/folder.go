package mailbox

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// mail is one kept file.
type mail struct {
	n    int
	name string // "0001-ada@example.org.eml", in the mailbox's folder
}

// maxRecipientRunes bounds the recipient in a file name: names have at most
// 255 bytes, and a rune at most four.
const maxRecipientRunes = 60

// fileName names the nth mail. The recipient is foreign text: what could be
// more than a name becomes an underscore.
func fileName(n int, recipient string) string {
	safe := strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("@.+-", r) {
			return '_'
		}
		return r
	}, recipient)
	if runes := []rune(safe); len(runes) > maxRecipientRunes {
		safe = string(runes[:maxRecipientRunes])
	}
	return fmt.Sprintf("%04d-%s.eml", n, safe)
}

// recipient is the part of the file name that tells who got the mail.
func (k mail) recipient() string {
	_, rest, _ := strings.Cut(k.name, "-")
	return strings.TrimSuffix(rest, ".eml")
}

// readFolder finds the mails an earlier run left in dir. Other files are not
// ours and stay unseen.
func readFolder(dir string) ([]mail, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var mails []mail
	for _, e := range entries {
		number, _, ok := strings.Cut(e.Name(), "-")
		n, err := strconv.Atoi(number)
		if ok && err == nil && n > 0 && e.Type().IsRegular() && strings.HasSuffix(e.Name(), ".eml") {
			mails = append(mails, mail{n, e.Name()})
		}
	}
	slices.SortFunc(mails, func(a, b mail) int {
		return cmp.Or(cmp.Compare(a.n, b.n), cmp.Compare(a.name, b.name))
	})
	return mails, nil
}

// keep writes one file for each recipient: all of them or none. The files are
// whole at every instant; they are not synced, as nothing here has to outlive
// a power cut.
func (m *Mailbox) keep(raw []byte, recipients []string) error {
	var written []string
	for range recipients {
		path, err := writeBeside(m.dir, raw)
		if err != nil {
			return errors.Join(err, remove(written))
		}
		written = append(written, path)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var kept []mail
	for i, path := range written {
		k := mail{n: m.next() + i}
		k.name = fileName(k.n, recipients[i])
		final := filepath.Join(m.dir, k.name)
		if err := os.Rename(path, final); err != nil {
			return errors.Join(err, remove(written))
		}
		written[i] = final
		kept = append(kept, k)
	}
	m.mails = append(m.mails, kept...)
	m.taken += len(kept)
	return nil
}

// next is the number of the next mail. m.mu must be held.
func (m *Mailbox) next() int {
	if len(m.mails) == 0 {
		return 1
	}
	return m.mails[len(m.mails)-1].n + 1
}

// writeBeside writes raw to a file in dir that readFolder does not see.
func writeBeside(dir string, raw []byte) (path string, err error) {
	f, err := os.CreateTemp(dir, ".incoming-*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(raw)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// remove deletes files that were written in vain.
func remove(paths []string) error {
	var errs []error
	for _, p := range paths {
		errs = append(errs, os.Remove(p))
	}
	return errors.Join(errs...)
}

// newest returns up to limit mails, newest first, and how many there are.
func (m *Mailbox) newest(limit int) ([]mail, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	total := len(m.mails)
	mails := slices.Clone(m.mails[max(0, total-limit):])
	slices.Reverse(mails)
	return mails, total
}

// find returns the nth mail, and false when there is none.
func (m *Mailbox) find(n int) (mail, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, ok := slices.BinarySearchFunc(m.mails, n, func(k mail, n int) int { return cmp.Compare(k.n, n) })
	if !ok {
		return mail{}, false
	}
	return m.mails[i], true
}
