package publish_test

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
	"threadmill/internal/store"
)

// second is another node on the desk's database, with an output folder of its
// own; its threads folder is the one named, or none.
func (d *desk) second(s settings, folder string) *desk {
	d.t.Helper()
	other := &desk{t: d.t, dir: d.t.TempDir(), store: d.store}
	if folder != "" {
		other.dir = folder
	}
	o := other.options(s)
	o.Place = "second"
	if folder == "" {
		o.Folder = nil
	}
	other.Publisher, other.zone = publish.New(o), o.Publication.Zone
	return other
}

// tree is every file of the output folder with its content.
func (d *desk) tree() map[string]string {
	d.t.Helper()
	files := map[string]string{}
	root := filepath.Join(d.dir, "public")
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), ".threadmill-") {
			return err
		}
		b, err := os.ReadFile(name)
		rel, _ := filepath.Rel(root, name)
		files[rel] = string(b)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	// A folder keeps the files of pictures that changed for those who have their
	// addresses; one that is made later has none of them.
	maps.DeleteFunc(files, func(name, _ string) bool {
		thread := strings.Join(strings.Split(name, "/")[:min(2, strings.Count(name, "/"))], "/")
		return newsletter.Immutable(name) && !strings.Contains(files[thread+"/index.html"], filepath.Base(name))
	})
	return files
}

func (d *desk) wantSameSite(other *desk) {
	d.t.Helper()
	d.writeSite()
	other.writeSite()
	if diff := cmp.Diff(d.tree(), other.tree()); diff != "" {
		d.t.Errorf("sites of two nodes (-with a folder +without):\n%s", diff)
	}
}

func pictured(i int, name string) string {
	return fmt.Sprintf("Thread %d shows something of its own.\n\n---\n\n![A picture](%s)\n", i, name)
}

// A node without a threads folder publishes and writes what one with it does,
// byte for byte.
func TestNodeWithoutFolder(t *testing.T) {
	d := newDesk(t, settings{perIssue: 2})
	d.threads(4)
	d.write("threads/2023-01-01-pictured/index.md", pictured(1, "a.png"))
	d.write("threads/2023-01-01-pictured/a.png", strings.Repeat("png", 400_000))
	d.write("threads/2023-01-02-flat.md", pictured(2, "img/b.gif"))
	d.write("threads/img/b.gif", "gif")
	d.write("threads/2022-01-01-broken.md", "---\ndate: whenever\n---\n\nFirst.\n")
	d.write("threads/2022-02-01-elsewhere.md", "---\nparams:\n  published: 2022-02-01\n---\n\nOut long ago.\n\n![c](img/c.svg)\n")
	d.write("threads/img/c.svg", "<svg/>")
	d.subscribers(3)
	bare := d.second(settings{perIssue: 2}, "")
	wantContains(t, "before anything was taken in", bare.now(), "no thread is ready")
	if _, err := d.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d.listed(), bare.listed()); diff != "" {
		t.Errorf("catalogues (-with a folder +without):\n%s", diff)
	}
	if got := bare.now(); got != "2023-01-01-pictured 2023-01-02-flat" {
		t.Errorf("without a folder: published %q", got)
	}
	d.wantSameSite(bare)
	if tree := bare.tree(); len(tree["threads/pictured/a.png"]) != 1_200_000 || tree["threads/elsewhere/img/c.svg"] != "<svg/>" {
		t.Error("pictures are missing")
	}

	d.write("threads/2023-01-01-pictured/a.png", "another")
	d.write("threads/2023-01-02-flat.md", pictured(2, "img/b.gif")+"\nAnd a correction.\n")
	d.wantSameSite(bare)
	if got := bare.tree()["threads/pictured/a.png"]; got != "another" {
		t.Errorf("a picture that was changed is %.20q", got)
	}
	if err := os.RemoveAll(filepath.Join(d.dir, "threads/2023-01-01-pictured")); err != nil {
		t.Fatal(err)
	}
	if got := d.now(); got != "2024-01-01-t0 2024-01-02-t1" {
		t.Errorf("with the folder: published %q", got)
	}
	d.wantSameSite(bare)
	fresh := d.second(settings{perIssue: 2}, "") // joins late
	d.wantSameSite(fresh)
	if err := os.Remove(filepath.Join(d.dir, "threads/2024-01-03-t2.md")); err != nil {
		t.Fatal(err)
	}
	d.writeSite()
	if got := bare.now(); got != "2024-01-04-t3" {
		t.Errorf("after a thread was removed: published %q", got)
	}
}

// listed are the threads of the catalogue in their order.
func (d *desk) listed() []string {
	d.t.Helper()
	c, err := d.Catalogue(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	var list []string
	for _, l := range c.Threads {
		list = append(list, fmt.Sprint(l.ID, l.File, l.State(time.Now()), l.Assets))
	}
	return append(list, c.Queue...)
}

// A node learns from the revision that its site is no longer the newest, and
// only then.
func TestRevisionTellsNodes(t *testing.T) {
	d := newDesk(t, settings{})
	d.threads(2)
	bare := d.second(settings{}, "")
	wanted := func(what string, node *desk, want bool) {
		t.Helper()
		if got, err := node.SiteWanted(t.Context()); err != nil || got != want {
			t.Errorf("%s: site wanted %v (%v), want %v", what, got, err, want)
		}
	}
	wanted("a new publication", d, false)
	d.now()
	d.writeSite()
	wanted("who wrote it", d, false)
	wanted("the other node", bare, true)
	bare.writeSite()
	wanted("the other node after its turn", bare, false)
	before, err := d.store.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.writeSite()
	bare.writeSite()
	if after, err := d.store.Revision(t.Context()); err != nil || after != before {
		t.Errorf("writing the same again: revision %d after %d (%v)", after, before, err)
	}
	d.write("threads/2024-01-01-t0.md", text(0)+"\nMore.\n")
	d.writeSite()
	wanted("after an edit", bare, true)
	bare.writeSite()
	if _, err := d.store.WithdrawIssue(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	wanted("after a withdrawal", d, true)
	wanted("after a withdrawal", bare, true)
}

// A folder that lags behind does not undo what another node took in.
func TestFolderThatLags(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, settings{})
		d.threads(1)
		late := d.second(settings{}, t.TempDir())
		late.mkdir("threads")
		late.threads(1)
		for range 2 {
			d.writeSite()
			late.writeSite()
			time.Sleep(time.Minute)
		}
		d.write("threads/2024-01-01-t0.md", text(0)+"\nA correction, and a long one.\n")
		d.writeSite()
		late.writeSite()
		d.writeSite()
		if got := late.now(); got != "2024-01-01-t0" {
			t.Errorf("published %q", got)
		}
		late.writeSite()
		wantContains(t, "page of the node that lags", late.read("public/threads/t0/index.html"), "A correction")
		late.write("threads/2024-01-01-t0.md", text(0)+"\nA correction to the correction, then.\n")
		late.writeSite()
		d.writeSite()
		wantContains(t, "page of the first node", d.read("public/threads/t0/index.html"), "to the correction")
	})
}

// A node that mirrors has the site of the one that keeps the publication, and
// neither lets mail go nor raises warnings; where it cannot write, it says so
// beside its folder's name and tries again.
func TestMirror(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, settings{})
		d.threads(4)
		d.subscribers(1)
		d.now()
		bare := d.second(settings{}, "")
		ctx, stop := context.WithCancel(t.Context())
		reload, notice := make(chan struct{}), make(chan struct{})
		written := 0
		var mirror sync.WaitGroup
		mirror.Go(func() { bare.Mirror(ctx, publish.Signals{Reload: reload, Notice: notice}, func() { written++ }) })
		settle := func(wait time.Duration) {
			time.Sleep(wait)
			synctest.Wait()
		}
		same := func(what string) {
			t.Helper()
			d.writeSite()
			settle(time.Second)
			if diff := cmp.Diff(d.tree(), bare.tree()); diff != "" {
				t.Errorf("%s (-keeper +mirror):\n%s", what, diff)
			}
		}
		sites := func(what string, want ...store.SiteInfo) {
			t.Helper()
			list, err := d.store.Sites(t.Context())
			if diff := cmp.Diff(want, list, cmpopts.EquateEmpty()); err != nil || diff != "" {
				t.Errorf("%s: %v %s", what, err, diff)
			}
		}
		settle(2 * time.Second)
		if due, err := d.store.SiteDue(t.Context()); err != nil || len(due) != 1 || written != 1 {
			t.Errorf("the mirror wrote its site %d times, want once; issues that wait for the keeper's: %v %v", written, due, err)
		}
		same("at the start")
		sites("at the start", store.SiteInfo{Place: "second", Newest: true})
		d.write("threads/2024-01-01-t0.md", text(0)+"\nA correction.\n")
		same("an edit")
		d.now()
		d.writeSite()
		notice <- struct{}{}
		synctest.Wait()
		if diff := cmp.Diff(d.tree(), bare.tree()); diff != "" {
			t.Errorf("another issue, at a notice (-keeper +mirror):\n%s", diff)
		}
		if undone, err := d.store.WithdrawIssue(t.Context(), 2); err != nil || !undone {
			t.Fatal(undone, err)
		}
		same("an issue that was undone")

		if err := os.RemoveAll(filepath.Join(bare.dir, "public")); err != nil {
			t.Fatal(err)
		}
		bare.write("public", "in its way")
		d.now()
		d.writeSite()
		settle(10 * time.Minute)
		list, err := d.store.Sites(t.Context())
		if err != nil || len(list) != 1 || list[0].Newest || list[0].Failure == "" {
			t.Errorf("a mirror that cannot write: %v %v", list, err)
		}
		if w, err := d.store.Warnings(t.Context()); err != nil || len(w) > 0 {
			t.Errorf("warnings %v %v", w, err)
		}
		if err := os.Remove(filepath.Join(bare.dir, "public")); err != nil {
			t.Fatal(err)
		}
		settle(time.Minute)
		same("after its failure")
		bare.write("public/feed.xml", "somebody's")
		reload <- struct{}{}
		same("after a reload")
		stop()
		mirror.Wait()
		settle(2 * time.Minute)
		sites("a mirror that has ended")
	})
}

// A node that has the threads folder brings its edits in while another one
// keeps the publication.
func TestMirrorWithFolder(t *testing.T) {
	inTime(t, func(t *testing.T) {
		keeper := newDesk(t, settings{})
		author := keeper.second(settings{}, t.TempDir())
		author.threads(2)
		bare := keeper.second(settings{}, "")
		ctx, stop := context.WithCancel(t.Context())
		var mirror sync.WaitGroup
		mirror.Go(func() { author.Mirror(ctx, publish.Signals{}, func() {}) })
		time.Sleep(2 * time.Second)
		if got := bare.now(); got != "2024-01-01-t0" {
			t.Errorf("published %q", got)
		}
		author.write("threads/2024-01-01-t0.md", text(0)+"\nA correction.\n")
		time.Sleep(time.Minute)
		bare.writeSite()
		wantContains(t, "page of the node without a folder", bare.read("public/threads/t0/index.html"), "A correction")
		stop()
		mirror.Wait()
	})
}
