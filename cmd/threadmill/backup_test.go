package main

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// opened is the publication of a place in this process.
func (p place) opened() *publication {
	p.t.Helper()
	a := &app{world: world{strings.NewReader(""), io.Discard, io.Discard, os.LookupEnv}, config: filepath.Join(p.dir, "config.yaml")}
	pub, err := a.open(p.t.Context(), slog.LevelError, true)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = pub.close() })
	return pub
}

// TestBackupEvery has backups made at their times, and the oldest go.
func TestBackupEvery(t *testing.T) {
	p := newPlace(t, newRelay(t), 1, 0, "backup: {every: 24h, keep: 2}")
	pub := p.opened()
	at := time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC)
	for _, after := range []time.Duration{0, time.Hour, 24 * time.Hour, 25 * time.Hour, 72 * time.Hour} {
		if err := pub.backUpWhenDue(t.Context(), at.Add(after)); err != nil {
			t.Fatal(err)
		}
	}
	found, err := filepath.Glob(filepath.Join(p.dir, "backups", "*"))
	if err != nil || len(found) != 2 || filepath.Base(found[0]) != "threadmill-20261208T090000Z.tar.zst" || filepath.Base(found[1]) != "threadmill-20261210T090000Z.tar.zst" {
		t.Errorf("%v are there: %v", found, err)
	}
	if info, err := os.Stat(found[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v: %v", info.Mode(), err)
	}
	if err := os.RemoveAll(filepath.Join(p.dir, "backups")); err != nil {
		t.Fatal(err)
	}
	p.write("backups", "in the way")
	if err := pub.backUpWhenDue(t.Context(), at.Add(200*time.Hour)); err == nil {
		t.Error("a backup into a file was made")
	}
	if list, err := pub.store.Warnings(t.Context()); err != nil || len(list) != 1 || list[0].Kind != "backup_failed" {
		t.Errorf("the warnings are %v: %v", list, err)
	}
}

// TestBackupFiles tells what an archive holds, with its secrets and without.
func TestBackupFiles(t *testing.T) {
	p := newPlace(t, newRelay(t), 1, 0, "threads: threads")
	outside := t.TempDir()
	p.edit("tls: none", "tls: none, username: me, password: '${PW}', messages_per_connection: 7")
	p.edit("threads: threads", "publication_about: x")
	p.edit("publication_about: x", "templates: "+outside)
	for name, text := range map[string]string{".env": "PW=hunter2", "public/index.html": "no", "threads/.git/x": "no", "threads/QUEUE": "a"} {
		p.write(name, text)
	}
	pub := p.opened()
	for plain, want := range map[bool]string{
		false: "config.yaml elsewhere" + outside + "/x.html files/.env files/threads/2026-01-01-part-0.md files/threads/QUEUE",
		true:  "config.yaml elsewhere" + outside + "/x.html files/threads/2026-01-01-part-0.md files/threads/QUEUE",
	} {
		if err := os.WriteFile(filepath.Join(outside, "x.html"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		files, err := pub.backupFiles(plain)
		var names []string
		for _, f := range files {
			names = append(names, f.Name)
		}
		if got := strings.Join(names, " "); err != nil || got != want {
			t.Errorf("plain %v: %s (%v)", plain, got, err)
		}
	}
	if err := pub.inlineSecret(); err != nil {
		t.Error(err)
	}
	p.edit("${PW}", "hunter2")
	if err := p.opened().inlineSecret(); err == nil || !strings.Contains(err.Error(), "config.yaml:2") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a password in the config: %v", err)
	}
}
