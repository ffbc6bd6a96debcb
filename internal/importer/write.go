package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/goccy/go-yaml"
)

// Report tells what became of the files of a result, by name.
type Report struct {
	Written   []string
	Unchanged []string // there already, the same
	Kept      []string // not written: the folder has that thread in its own form
}

// Write puts the files of r into dir, which it creates where needed. Each file
// appears whole or not at all. One that is there already stays as it is, and
// one whose params.id another file of the folder has is not written.
func Write(dir string, r Result) (Report, error) {
	var report Report
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return report, fmt.Errorf("write threads: %w", err)
	}
	ids, err := knownIDs(dir)
	if err != nil {
		return report, err
	}
	for _, f := range r.Files {
		if f.Name != filepath.Base(f.Name) || !filepath.IsLocal(f.Name) {
			return report, fmt.Errorf("write %q: not a file name", f.Name)
		}
		path := filepath.Join(dir, f.Name)
		there, err := os.ReadFile(path)
		id := matterID(f.Content)
		switch {
		case err == nil && bytes.Equal(there, f.Content):
			report.Unchanged = append(report.Unchanged, f.Name)
			continue
		case err == nil || id != "" && ids[id]:
			report.Kept = append(report.Kept, f.Name)
			continue
		case !errors.Is(err, fs.ErrNotExist):
			return report, fmt.Errorf("write %s: %w", path, err)
		}
		if err := create(path, f.Content); err != nil {
			return report, err
		}
		ids[id] = true
		report.Written = append(report.Written, f.Name)
	}
	return report, nil
}

// create writes a new file in one step. An existing one is an error that is
// [fs.ErrExist].
func create(path string, content []byte) (err error) {
	// The dot keeps a leftover from being read as a thread.
	temp, err := os.CreateTemp(filepath.Dir(path), ".import-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(content)
	err = errors.Join(err, temp.Chmod(0o644), temp.Sync(), temp.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	// Unlike a rename, a link never replaces what is there.
	err = os.Link(temp.Name(), path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// Some file systems know no links.
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// knownIDs returns the params.id of the thread files in dir.
func knownIDs(dir string) (map[string]bool, error) {
	ids := map[string]bool{}
	for _, pattern := range []string{"*.md", "*.markdown", filepath.Join("*", "index.md")} {
		files, err := fs.Glob(os.DirFS(dir), filepath.ToSlash(pattern))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", dir, err)
		}
		for _, file := range files {
			head, err := readHead(filepath.Join(dir, file))
			if err != nil {
				return nil, err
			}
			ids[matterID(head)] = true
		}
	}
	return ids, nil
}

// headLimit is how much of a file is read to find its front matter, in bytes.
const headLimit = 32 << 10

func readHead(path string) ([]byte, error) {
	// Anything but a file holds no id, and a pipe would wait for its other end.
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read %w", err)
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, headLimit))
	if err != nil {
		return nil, fmt.Errorf("read %w", err)
	}
	return head, nil
}

var frontMatter = regexp.MustCompile(`(?s)^(?:\x{feff})?---[ \t]*\r?\n(.*?\n)---[ \t]*(?:\r?\n|$)`)

// matterID returns params.id, and "" where it is not found. Faults of the
// front matter are reported by whoever reads the thread.
func matterID(source []byte) string {
	m := frontMatter.FindSubmatch(source)
	if m == nil || len(m[1]) > headLimit/2 {
		return ""
	}
	var matter struct {
		Params struct {
			ID string `yaml:"id"`
		} `yaml:"params"`
	}
	if err := yaml.Unmarshal(m[1], &matter); err != nil {
		return ""
	}
	return matter.Params.ID
}
