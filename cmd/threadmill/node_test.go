package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"threadmill/internal/store"
)

// manyNodes is a publication on PostgreSQL with small batches, and a rate that leaves
// time to look.
func manyNodes(t *testing.T, r *relay, readers int, more string) place {
	t.Helper()
	p := newPlace(t, r, 1, readers, fmt.Sprintf("\ndatabase: %q\ndelivery: {batch: 20}\n%s", emptyPublication.Copy(t), more))
	p.write("config.yaml", strings.Replace(p.read("config.yaml"), "mail: {", "mail: {rate: 400, ", 1))
	return p
}

// beside is the same publication in a folder of its own, as on another machine,
// without threads.
func (p place) beside() place {
	p.t.Helper()
	q := p
	q.dir = p.t.TempDir()
	q.write("config.yaml", p.read("config.yaml")+"\nthreads: \"\"\n")
	return q
}

// nodes are those that status shows.
func (p place) nodes() []store.NodeInfo {
	p.t.Helper()
	var s statusReport
	if err := json.Unmarshal([]byte(p.look("status", "--json")), &s); err != nil {
		p.t.Fatal(err)
	}
	return s.Nodes
}

// allSent tells whether so many issues went out to all.
func (p place) allSent(issues, readers int) bool {
	p.t.Helper()
	var rows []issueRow
	if err := json.Unmarshal([]byte(p.run("issues", "--json")), &rows); err != nil {
		p.t.Fatal(err)
	}
	return len(rows) == issues && !slices.ContainsFunc(rows, func(r issueRow) bool { return r.Sent != readers })
}

// TestNodesLoseDatabase breaks all connections to the database while two nodes
// send. Both stop, come again, and go on.
func TestNodesLoseDatabase(t *testing.T) {
	t.Parallel()
	const readers = 1500
	r := newRelay(t)
	p := manyNodes(t, r, readers, "")
	one, two := p.startDaemon(), p.beside().startDaemon()
	until(t, "a keeper", func() bool { n := p.nodes(); return len(n) == 2 && (n[0].Keeper || n[1].Keeper) })
	before := p.nodes()
	p.publish("--wait", "0s")
	until(t, "work for both", func() bool {
		n := p.nodes()
		return n[0].Batches > 0 && n[1].Batches > 0
	})
	p.loseDatabase()
	until(t, "everybody", func() bool { return p.allSent(1, readers) })
	until(t, "two new nodes", func() bool {
		n := p.nodes()
		return len(n) == 2 && (n[0].Keeper || n[1].Keeper) && n[0].ID != before[0].ID && n[1].ID != before[1].ID
	})
	one.stop()
	two.stop()
	checkCopies(t, r.accepted(), 1, readers, 20)
	p.checkIssues(1, readers)
}

// TestNodeDies kills or stops one of two nodes that both send. The other one
// goes on with its batches.
func TestNodeDies(t *testing.T) {
	t.Parallel()
	const readers = 1500
	for _, tt := range []struct {
		name   string
		signal syscall.Signal
		keeper bool
		copies int
	}{
		{"KILL", syscall.SIGKILL, false, 10},
		{"KILL of the keeper", syscall.SIGKILL, true, 10},
		{"TERM", syscall.SIGTERM, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRelay(t)
			p := manyNodes(t, r, readers, "")
			one := p.startDaemon()
			until(t, "a keeper", func() bool { n := p.nodes(); return len(n) == 1 && n[0].Keeper })
			two := p.beside().startDaemon()
			until(t, "two nodes", func() bool { return len(p.nodes()) == 2 })
			dies, lives := two, one
			if tt.keeper {
				dies, lives = one, two
			}
			p.publish("--wait", "0s")
			until(t, "work for both", func() bool {
				n := p.nodes()
				return n[0].Batches > 0 && n[1].Batches > 0
			})
			if err := dies.Process.Signal(tt.signal); err != nil {
				t.Fatal(err)
			}
			until(t, "the end of it", func() bool {
				n := p.nodes()
				return len(n) == 1 && n[0].PID == lives.Process.Pid && n[0].Keeper
			})
			until(t, "everybody", func() bool { return p.allSent(1, readers) })
			dies.end.Wait()
			_ = dies.Wait()
			lives.stop()
			checkCopies(t, r.accepted(), 1, readers, tt.copies)
			p.checkIssues(1, readers)
			if n := p.nodes(); len(n) > 0 {
				t.Errorf("nodes %+v", n)
			}
		})
	}
}

// tree is every file of the output folder with its content; nil while it is
// being written.
func (p place) tree() map[string]string {
	files := map[string]string{}
	root := os.DirFS(filepath.Join(p.dir, "public"))
	err := fs.WalkDir(root, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), ".threadmill-") {
			return err
		}
		b, err := fs.ReadFile(root, name)
		files[name] = string(b)
		return err
	})
	if err != nil {
		return nil
	}
	return files
}

// TestEveryNodeHasTheSite has three nodes whose output folders follow what is
// published, edited, withdrawn and undone, whoever of them does it.
func TestEveryNodeHasTheSite(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	p := manyNodes(t, r, 3, "")
	p.edit(`web: {listen: "off"}`, "web: {listen: 127.0.0.1:0}")
	p.write("threads/2026-01-02-shown/index.md", "How a picture is shown.\n\n---\n\n![A picture](a.png)\n")
	p.write("threads/2026-01-02-shown/a.png", "png")
	p.thread(2)
	q := p.beside()
	keeper := p.startDaemon()
	until(t, "a keeper", func() bool { n := p.nodes(); return len(n) == 1 && n[0].Keeper })
	two := q.startDaemon()
	same := func(what string, page string, there bool, also ...place) {
		t.Helper()
		until(t, what, func() bool {
			one := p.tree()
			for _, other := range append(also, q) {
				if one == nil || !maps.Equal(one, other.tree()) {
					return false
				}
			}
			_, is := one[page]
			return is == there && len(one) > 0
		})
	}
	p.publish()
	same("the first issue", "threads/part-0/index.html", true)
	late := p.beside()
	three := late.startDaemon()
	until(t, "a node that is ready", func() bool { code, _ := three.ready(); return code == http.StatusOK })
	same("a node that came late", "threads/part-0/index.html", true, late)
	q.publish("--wait", "0s") // beside a node that mirrors
	same("an issue of another machine", "threads/shown/a.png", true, late)
	if out := late.run("build"); !strings.Contains(out, "written by the running threadmill") {
		t.Errorf("build beside a node that mirrors: %s", out)
	}
	three.stop()
	if out := late.run("build"); !strings.Contains(out, "Wrote 0 files") {
		t.Errorf("build where no node runs: %s", out)
	}
	out, err := q.command("run").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another threadmill writes it") {
		t.Errorf("a second writer of a node's folder: %v\n%s", err, out)
	}
	q.run("issues", "withdraw", "1")
	same("a withdrawal", "threads/part-0/index.html", false)
	p.write("threads/2026-01-02-shown/index.md", "How a picture is shown.\n\n---\n\nIn words.\n")
	if err := keeper.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	until(t, "an edit", func() bool { return strings.Contains(q.tree()["threads/shown/index.html"], "In words") })

	q.remove("public/index.html")
	q.write("public/index.html/somebody", "is in the way")
	if err := two.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	site := regexp.MustCompile(`Site +\S+` + regexp.QuoteMeta(q.dir) + `\S+ could not be written: `)
	until(t, "a site that cannot be written", func() bool { return site.MatchString(p.run("status")) })
	q.remove("public/index.html/somebody")
	q.remove("public/index.html")
	same("after that", "index.html", true)
	keeper.stop()
	q.publish("--wait", "0s") // whoever keeps now
	until(t, "the page of another issue", func() bool { return q.tree()["threads/part-2/index.html"] != "" })
	two.stop()
}
