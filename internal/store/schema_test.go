package store

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"threadmill/internal/store/pgtest"
)

// onlyPostgres begins the names of the tables that SQLite has no use for, which
// a move leaves alone: those of River.
const onlyPostgres = "river_"

// TestSchemasAlike holds the tables and columns of the two databases against
// each other: what one lacks would be left behind by a move.
func TestSchemasAlike(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	file := openHere(t, t.TempDir()+"/threadmill.db")
	server := openHere(t, pgtest.Empty(t))
	ours := got(sqliteColumns(ctx, file.reader))(t)
	var theirs []moveTable
	err := pgx.BeginFunc(ctx, server.pool, func(tx pgx.Tx) (err error) {
		theirs, err = postgresTables(ctx, tx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string][]string{"bigint": {"INTEGER", "BIGINT"}, "integer": {"INTEGER"}, "boolean": {"BOOLEAN"}, "double precision": {"REAL"}, "text": {"TEXT"}, "bytea": {"BLOB"}}
	for _, table := range theirs {
		if strings.HasPrefix(table.name, onlyPostgres) {
			continue
		}
		if table.key() == "" {
			t.Errorf("table %s has no primary key", table.name)
		}
		var columns []string
		for _, c := range table.columns {
			columns = append(columns, c.name)
			var kind string
			err := file.reader.QueryRowContext(ctx, `SELECT type FROM pragma_table_info($1) WHERE name = $2`, table.name, c.name).Scan(&kind)
			if err != nil || !slices.Contains(kinds[c.kind], kind) {
				t.Errorf("%s.%s is %s on PostgreSQL and %s on SQLite: %v", table.name, c.name, c.kind, kind, err)
			}
		}
		slices.Sort(columns)
		slices.Sort(ours[table.name])
		if diff := cmp.Diff(ours[table.name], columns); diff != "" {
			t.Errorf("columns of %s on SQLite (-) and PostgreSQL (+): %s", table.name, diff)
		}
		delete(ours, table.name)
	}
	if len(ours) > 0 {
		t.Errorf("PostgreSQL lacks the tables %v", slices.Sorted(maps.Keys(ours)))
	}
}

// got returns v, and fails the test where err is not nil.
func got[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
