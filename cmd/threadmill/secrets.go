package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// leaks names the secret files of the publication that other users can read or
// that git tracks, one line each with its place. Keys that sign are told of by
// dkimKeys.
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
			list = append(list, fmt.Sprintf("%s: git tracks %s, and whoever gets the repository gets the secret; run git rm --cached %s, write it into .gitignore, and make the secret anew", at, path, path))
		}
	}
	return list
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
