package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"threadmill/internal/config"
)

// leaks names the secret files of the publication that other users can read or
// that git tracks, one line each with its place. Keys that sign are told of by
// dkimKeys, and Load warns of secrets in a config that others can read.
func (p *publication) leaks(ctx context.Context) []string {
	var list []string
	for _, f := range p.SecretFiles() {
		path := p.Path(f.Path)
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		at := path
		if f.Key != "" {
			at = p.Position(f.Key) + ": " + f.Key
		}
		if p.OthersRead(path, info.Mode()) && !strings.HasPrefix(f.Key, "mail.dkim") {
			list = append(list, fmt.Sprintf("%s: %s can be read by other users; run chmod 600 %s", at, path, path))
		}
		if tracked(ctx, path) {
			list = append(list, trackedNote(at, path))
		}
	}
	if keys := p.ClearSecrets(); len(keys) > 0 && tracked(ctx, p.configFile) {
		for _, key := range keys {
			list = append(list, fmt.Sprintf("%s: %s: git tracks %s, and whoever gets the repository gets the secret; write ${NAME} here and NAME in .env, and make the secret anew", p.Position(key), key, p.configFile))
		}
	}
	return append(list, p.trackedKeys(ctx)...)
}

// trackedKeys names the keys that git tracks in the folder where dkim puts them
// and that the config does not name, such as those of before.
func (p *publication) trackedKeys(ctx context.Context) []string {
	found, err := filepath.Glob(filepath.Join(p.Dir, "keys", "*.pem")) // one in a folder [x] is told of when the config names it
	if err != nil {
		return nil
	}
	var list []string
	for _, path := range found {
		named := slices.ContainsFunc(p.Mail.DKIM, func(d config.DKIM) bool { return p.Path(d.Key) == path })
		if !named && tracked(ctx, path) {
			list = append(list, trackedNote(path, path))
		}
	}
	return list
}

func trackedNote(at, path string) string {
	return fmt.Sprintf("%s: git tracks %s, and whoever gets the repository gets the secret; run git rm --cached %s, write it into .gitignore, and make the secret anew", at, path, path)
}

// tracked tells whether git knows a file; it is no where git or a repository
// is missing.
func tracked(ctx context.Context, path string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	// The monitor of a repository is a program that its config names.
	cmd := exec.CommandContext(ctx, "git", "-c", "core.fsmonitor=false", "--literal-pathspecs", "ls-files", "--error-unmatch", "--", filepath.Base(path))
	cmd.Dir = filepath.Dir(path)
	return cmd.Run() == nil
}
