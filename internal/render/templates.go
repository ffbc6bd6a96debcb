package render

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	texttemplate "text/template"
)

// The names of the templates. baseFile holds the parts that the others share.
const (
	baseFile        = "base.html"
	mailFile        = "mail.html"
	mailTextFile    = "mail.txt"
	threadFile      = "thread.html"
	archiveFile     = "archive.html"
	issueFile       = "issue.html"
	unsubscribeFile = "unsubscribe.html"
	preferencesFile = "preferences.html"
	notFoundFile    = "404.html"
	tagFile         = "tag.html"
	tagsFile        = "tags.html"
	aboutFile       = "about.html"
	subscribeFile   = "subscribe.html"
	privacyFile     = "privacy.html"
	searchFile      = "search.html"
	signUpFile      = "signup.html"
	confirmFile     = "confirm.html"
	letterFile      = "letter.html"
	letterTextFile  = "letter.txt"
)

// maxOutput bounds what one template may write, in bytes; a loop that never
// ends stops there.
const maxOutput = 16 << 20

// usualOutput is a little more than most pages have, in bytes.
const usualOutput = 28 << 10

// maxTemplate bounds a template file, in bytes.
const maxTemplate = 1 << 20

// Templates are the parsed and tried templates of a publication. They are
// read-only and may be used by many goroutines.
type Templates struct {
	html   map[string]*template.Template
	text   map[string]*texttemplate.Template
	words  *wordbook
	common common
	// digest is that of the files.
	digest string
}

// Digest changes with the templates.
func (t *Templates) Digest() string { return t.digest }

// Load parses every template. A file in override (which may be nil) replaces
// the embedded one of the same name; a template file in override that has no
// such namesake is refused, since it is most likely a misspelt name.
//
// Where override replaces anything each template is tried on sample data, so an
// unknown field or an endless recursion is an error of Load, with the template's
// file and line, and never one of a day of publication. The embedded ones alone
// are proven by tests.
func Load(override, embedded fs.FS) (*Templates, error) {
	files, replaced, err := readFiles(override, embedded)
	if err != nil {
		return nil, err
	}
	digest := digestOf(files)
	if t := latest.Load(); t != nil && t.digest == digest {
		return t, nil
	}
	t, err := parseAll(files)
	if err == nil && replaced {
		err = t.prove()
	}
	if err != nil {
		return nil, err
	}
	t.digest = digest
	latest.Store(t)
	return t, nil
}

// latest are those that Load parsed last. The files are looked at each time a
// site is written or an issue named, and are mostly the same.
var latest atomic.Pointer[Templates]

func parseAll(files map[string]string) (*Templates, error) {
	t := &Templates{html: make(map[string]*template.Template), text: make(map[string]*texttemplate.Template)}
	var err error
	if t.words, err = readWords(files[builtinWords], files[wordsFile]); err != nil {
		return nil, err
	}
	t.common.parts = make(map[commonKey]commonPart)
	for _, name := range htmlFiles() {
		t.html[name], err = t.parseHTML(name, files)
		if err != nil {
			return nil, err
		}
	}
	for _, name := range textFiles() {
		t.text[name], err = texttemplate.New(name).Funcs(textFuncs()).Option("missingkey=error").Parse(files[name])
		if err != nil {
			return nil, templateError(err)
		}
	}
	return t, nil
}

// prove finds the faults that templates show when they are used.
func (t *Templates) prove() error {
	if err := t.checkWords(); err != nil {
		return err
	}
	if err := t.try(); err != nil {
		return fmt.Errorf("try the templates on sample data: %w", err)
	}
	return nil
}

// htmlFiles are the templates that stand on baseFile.
func htmlFiles() []string {
	return []string{
		mailFile, threadFile, archiveFile, issueFile, unsubscribeFile, preferencesFile, notFoundFile, reviewFile,
		tagFile, tagsFile, aboutFile, subscribeFile, privacyFile, searchFile,
		signUpFile, confirmFile, letterFile,
	}
}

// textFiles are the templates of plain text.
func textFiles() []string { return []string{mailTextFile, letterTextFile} }

// readFiles returns the text of every template by its name, and whether any is
// that of override.
func readFiles(override, embedded fs.FS) (files map[string]string, replaced bool, err error) {
	names := append(htmlFiles(), append(textFiles(), baseFile)...)
	if err := refuseStrangers(override, append(names, wordsFile)); err != nil {
		return nil, false, err
	}
	files = make(map[string]string, len(names))
	for _, name := range names {
		text, err := readFile(override, name)
		if errors.Is(err, fs.ErrNotExist) {
			text, err = readFile(embedded, name)
		} else {
			replaced = true
		}
		if err != nil {
			return nil, false, fmt.Errorf("read template %s: %w", name, err)
		}
		files[name] = text
	}
	err = readWordFiles(files, override, embedded)
	return files, replaced || files[wordsFile] != "", err
}

// builtinWords names the embedded words among the files: those of the
// publication do not take their place, but add to them.
const builtinWords = "built-in " + wordsFile

func readWordFiles(files map[string]string, override, embedded fs.FS) error {
	var err error
	if files[builtinWords], err = readFile(embedded, wordsFile); err != nil {
		return fmt.Errorf("read the built-in %s: %w", wordsFile, err)
	}
	if files[wordsFile], err = readFile(override, wordsFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w", wordsFile, err)
	}
	return nil
}

// digestOf tells one set of templates from another.
func digestOf(files map[string]string) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(h, "%q %q\n", name, files[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}

func readFile(fsys fs.FS, name string) (string, error) {
	if fsys == nil {
		return "", fs.ErrNotExist
	}
	f, err := fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxTemplate+1))
	if err == nil && len(text) > maxTemplate {
		err = errors.New("longer than 1 MB")
	}
	return string(text), err
}

// refuseStrangers finds template files in override that replace nothing.
func refuseStrangers(override fs.FS, names []string) error {
	if override == nil {
		return nil
	}
	for _, pattern := range []string{"*.html", "*.txt", "*.yaml", "*.yml"} {
		found, err := fs.Glob(override, pattern)
		if err != nil {
			return fmt.Errorf("list templates: %w", err)
		}
		for _, name := range found {
			if !slices.Contains(names, name) {
				slices.Sort(names)
				return fmt.Errorf("template %s replaces nothing; the templates are %s", name, strings.Join(names, ", "))
			}
		}
	}
	return nil
}

func (t *Templates) parseHTML(name string, files map[string]string) (*template.Template, error) {
	tmpl := template.New(name).Funcs(template.FuncMap{"same": t.same(name), "part": t.part(name), "markdown": note}).Option("missingkey=error")
	if _, err := tmpl.New(baseFile).Parse(files[baseFile]); err != nil {
		return nil, templateError(err)
	}
	if _, err := tmpl.Parse(files[name]); err != nil {
		return nil, templateError(err)
	}
	return tmpl, nil
}

// executor is a template of either kind.
type executor interface {
	Execute(w io.Writer, data any) error
}

// execute runs the template of that file within bounds. What it wrote holds
// no character that XML forbids.
func execute(t executor, file string, data any) ([]byte, error) {
	out := bounded{left: maxOutput}
	out.buf.Grow(usualOutput)
	err := t.Execute(&out, data)
	if errors.Is(err, errTooLong) {
		return nil, &TemplateError{Text: file + ": " + errTooLong.Error(), Err: err}
	}
	if err != nil {
		return nil, templateError(err)
	}
	return clean(out.buf.Bytes()), nil
}

// templateError cuts the library's own name off, so that the text begins with
// file and line.
func templateError(err error) error {
	text := err.Error()
	for _, prefix := range []string{"html/template:", "template: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return &TemplateError{Text: strings.TrimSpace(text), Err: err}
}

// TemplateError is a fault in a template.
type TemplateError struct {
	Text string // begins with file and line, "thread.html:12: …", the line where it is known
	Err  error
}

func (e *TemplateError) Error() string { return e.Text }

// Unwrap returns the template library's own error.
func (e *TemplateError) Unwrap() error { return e.Err }

// bounded is a buffer that refuses to grow past its bound.
type bounded struct {
	buf  bytes.Buffer
	left int
}

var errTooLong = errors.New("writes more than 16 MB; does a loop never end?")

func (b *bounded) Write(p []byte) (int, error) {
	if len(p) > b.left {
		return 0, errTooLong
	}
	b.left -= len(p)
	return b.buf.Write(p)
}

// try renders every template with a rich sample and with a bare one.
func (t *Templates) try() error {
	for _, s := range samples() {
		if err := s.render(t); err != nil {
			return err
		}
	}
	return nil
}
