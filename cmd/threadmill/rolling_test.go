package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"threadmill/internal/store"
)

// newer builds this program as the next version, whose database has one more
// migration, and returns its path.
func newer(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	for _, kind := range []string{"postgres", "sqlite"} {
		text := filepath.Join(dir, kind+".sql")
		const more = "-- +goose Up\nALTER TABLE deliveries ADD COLUMN weight INTEGER NOT NULL DEFAULT 1;\n" +
			"ALTER TABLE nodes ADD COLUMN zone TEXT;\nCREATE TABLE extras (name TEXT NOT NULL PRIMARY KEY);\n"
		if err := os.WriteFile(text, []byte(more), 0o600); err != nil {
			t.Fatal(err)
		}
		path, err := filepath.Abs("../../internal/store/migrations/" + kind + "/90000_newer.sql")
		if err != nil {
			t.Fatal(err)
		}
		replace[path] = text
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "threadmill")
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-ldflags", "-X main.version=newer", "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// database connects to a publication's database.
func (p place) database() *pgx.Conn {
	p.t.Helper()
	_, address, _ := strings.Cut(p.read("config.yaml"), "database: \"")
	address, _, _ = strings.Cut(address, "\"")
	conn, err := pgx.Connect(p.t.Context(), address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// breakOthers ends all sessions of a database but one's own.
const breakOthers = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`

// loseDatabase breaks all connections of the publication to its database.
func (p place) loseDatabase() {
	p.t.Helper()
	if _, err := p.database().Exec(p.t.Context(), breakOthers); err != nil {
		p.t.Fatal(err)
	}
}

// versions counts the nodes of the newer version and the others.
func (p place) versions() (newer, older int) {
	p.t.Helper()
	for _, n := range p.nodes() {
		if n.Version == "newer" {
			newer++
		} else {
			older++
		}
	}
	return newer, older
}

// TestRollingUpgrade replaces one node after the other by those of a version with
// another migration while mail goes out. The older ones go on beside the newer
// schema, also after the database was gone for a moment; none can be started
// any more.
func TestRollingUpgrade(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	t.Parallel()
	const readers, nodes = 1500, 3
	program := newer(t)
	r := newRelay(t)
	p := manyNodes(t, r, readers, "")
	p.thread(1)
	next := p
	next.program = program
	places, daemons := []place{p}, []*daemon{p.startDaemon()}
	for range nodes - 1 {
		beside := p.beside()
		places, daemons = append(places, beside), append(daemons, beside.startDaemon())
	}
	until(t, "all nodes", func() bool { return len(p.nodes()) == nodes })
	roll := func(i int) {
		t.Helper()
		daemons[i].stop()
		places[i].program = program
		daemons[i] = places[i].startDaemon()
		until(t, "the newer node", func() bool {
			newer, older := next.versions()
			return newer == i+1 && older == nodes-i-1
		})
	}
	p.publish("--wait", "0s")
	until(t, "mail", func() bool { return len(r.accepted()) > 0 })
	for i := range nodes - 1 {
		roll(i)
	}
	if n := len(r.accepted()); n == readers {
		t.Log("all mail was out before the end of it")
	}
	until(t, "everybody", func() bool { return next.allSent(1, readers) })

	out, err := p.command("status").CombinedOutput()
	if _, ok := errors.AsType[*exec.ExitError](err); !ok || !strings.Contains(string(out), "newer than this threadmill") {
		t.Errorf("a start of the older version: %v\n%s", err, out)
	}
	before := next.nodes()
	next.loseDatabase()
	until(t, "all of them again", func() bool {
		now := next.nodes()
		return len(now) == nodes && !slices.ContainsFunc(now, func(n store.NodeInfo) bool {
			return slices.ContainsFunc(before, func(o store.NodeInfo) bool { return o.ID == n.ID })
		})
	})
	next.publish("--wait", "0s")
	until(t, "mail", func() bool { return len(r.accepted()) > readers })
	roll(nodes - 1)
	until(t, "everybody", func() bool { return next.allSent(2, readers) })
	for _, d := range daemons {
		d.stop()
	}
	checkCopies(t, r.accepted(), 2, readers, 0)
	next.checkIssues(2, readers)
	if n := next.nodes(); len(n) > 0 {
		t.Errorf("nodes %+v", n)
	}
}

// TestMuteNodeLosesDatabase breaks the connections of a node that sends no mail.
// It comes again.
func TestMuteNodeLosesDatabase(t *testing.T) {
	t.Parallel()
	p := manyNodes(t, newRelay(t), 1, "")
	d := p.startDaemon("--no-send")
	conn := p.database()
	keeper := func() (session int) {
		err := conn.QueryRow(t.Context(), `SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE application_name LIKE 'threadmill run %' AND datname = current_database()`).Scan(&session)
		if err != nil {
			t.Fatal(err)
		}
		return session
	}
	until(t, "a keeper", func() bool { return keeper() > 0 })
	before := keeper()
	_, err := conn.Exec(t.Context(), breakOthers)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "a keeper again", func() bool { now := keeper(); return now > 0 && now != before })
	if out := p.run("build"); !strings.Contains(out, "by the running threadmill") {
		t.Errorf("build: %s", out)
	}
	d.stop()
}
