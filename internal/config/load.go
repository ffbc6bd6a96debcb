package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// Load reads the config at path. Variables are looked up by env, such as
// os.LookupEnv, and then in the file .env beside the config; a nil env knows
// none. An error is an *InvalidError that lists everything that is wrong.
func Load(path string, env func(string) (string, bool)) (Config, error) {
	data, mode, err := readFile(path, maxFile)
	if err != nil {
		return Config{}, unreadable(path, err)
	}
	dotenv, err := readDotenv(filepath.Join(filepath.Dir(path), ".env"))
	if err != nil {
		return Config{}, err
	}
	l := newLoader(path, func(name string) (string, bool) {
		if env != nil {
			if value, ok := env(name); ok {
				return value, true
			}
		}
		value, ok := dotenv.values[name]
		return value, ok
	})
	l.public = mode&othersMode != 0
	l.config.Warnings = dotenv.warnings
	if l.decode(data) {
		l.readSecrets()
		l.config.complete()
		l.problems = append(l.problems, l.config.conflicts(l.problems)...)
	}
	if err := l.problems.err(); err != nil {
		return Config{}, err
	}
	return *l.config, nil
}

func unreadable(path string, err error) error {
	text := "read the configuration: " + reason(err).Error()
	if errors.Is(err, fs.ErrNotExist) {
		text = "there is no such file; run threadmill init to make one, or name another with --config"
	}
	return &InvalidError{Problems: []Problem{{File: path, Text: text}}, cause: err}
}

// loader carries one reading of a config.
type loader struct {
	config   *Config
	settings []setting
	lookup   func(string) (string, bool)
	public   bool // whether other users can read the config
	problems problems
}

func newLoader(file string, lookup func(string) (string, bool)) *loader {
	c := Default()
	c.file, c.Dir = file, filepath.Dir(file)
	c.places, c.lookup = map[string]place{}, lookup
	return &loader{config: &c, settings: c.settings(), lookup: lookup}
}

// setting returns the setting of a key.
func (l *loader) setting(key string) (setting, bool) {
	i := slices.IndexFunc(l.settings, func(s setting) bool { return s.key == key })
	if i < 0 {
		return setting{}, false
	}
	return l.settings[i], true
}

// report adds a problem at a place; the zero place means the file as a whole.
func (l *loader) report(at place, key, text string) {
	l.problems = append(l.problems, Problem{File: l.config.file, Line: at.line, Column: at.column, Key: key, Text: text})
}

func (l *loader) warn(at place, key, text string) {
	p := Problem{File: l.config.file, Line: at.line, Column: at.column, Key: key, Text: text}
	l.config.Warnings = append(l.config.Warnings, p.String())
}

// readSecrets fills every value that is given by a file of its own.
func (l *loader) readSecrets() {
	for _, s := range l.settings {
		key, isFile := strings.CutSuffix(s.key, "_file")
		if !isFile || s.raw() == "" {
			continue
		}
		at := l.config.places[s.key]
		target, _ := l.setting(key)
		if _, given := l.config.places[key]; given && target.raw() != "" {
			l.report(at, s.key, "given beside "+key+"; leave one of them out")
			continue
		}
		path := l.config.Path(s.raw())
		data, mode, err := readFile(path, maxSecret)
		if err == nil {
			err = target.set(trimLine(data))
		}
		if err != nil {
			l.report(at, s.key, fmt.Sprintf("read %s: %v", path, reason(err)))
		} else if l.config.OthersRead(path, mode) {
			l.warn(at, s.key, readableSecret(path))
		}
	}
}

// trimLine is the content of a file that holds one value.
func trimLine(data []byte) string {
	return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
}

// readableSecret warns of a file with a secret.
func readableSecret(path string) string {
	return path + " can be read by other users; run chmod 600 " + path
}
