package store

import (
	"fmt"
	"io/fs"
	"testing"

	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// TestQueueSchema fails for a River with another schema than the one that the
// newest of our migrations to name one was made for: without a migration of ours
// a database would not count as older, and would never get it.
func TestQueueSchema(t *testing.T) {
	t.Parallel()
	m := got(rivermigrate.New(riverpgxv5.New(nil), nil))(t)
	all := m.AllVersions()
	want := all[len(all)-1].Version
	ours := 0
	for _, name := range got(fs.Glob(postgres.folder(), "*.sql"))(t) {
		var version int
		text := got(fs.ReadFile(postgres.folder(), name))(t)
		if _, err := fmt.Sscanf(string(text), "-- +goose Up\n-- River %d\n", &version); err == nil {
			ours = version
		}
	}
	if want != ours {
		t.Errorf(`River wants version %d of its schema, the newest migration to name one says %d;
add a migration for both databases that begins with the line "-- River %d" after "-- +goose Up", be it an empty one,
and read River's changelog for what older nodes make of its new schema`, want, ours, want)
	}
}
