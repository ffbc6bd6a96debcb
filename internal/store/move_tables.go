package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// moveTable is a table that both databases have, with the columns of
// PostgreSQL.
type moveTable struct {
	name    string
	columns []moveColumn
	rows    int64 // in the source
}

type moveColumn struct {
	name     string
	kind     string // bigint, text …
	identity bool   // numbered by a sequence
	key      int    // place in the primary key, from 1
}

// names are the columns in SQL.
func (t moveTable) names() string {
	list := make([]string, len(t.columns))
	for i, c := range t.columns {
		list[i] = quoted(c.name)
	}
	return strings.Join(list, ", ")
}

// key is the primary key in SQL, by which both databases order alike.
func (t moveTable) key() string {
	keys := slices.DeleteFunc(slices.Clone(t.columns), func(c moveColumn) bool { return c.key == 0 })
	slices.SortFunc(keys, func(a, b moveColumn) int { return a.key - b.key })
	return moveTable{columns: keys}.names()
}

// quoted is a name in SQL.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal is a text in SQL.
func literal(text string) string { return `'` + strings.ReplaceAll(text, `'`, `''`) + `'` }

// matchTables returns the tables of the source, those first that others refer
// to, and keeps everybody else from those of the target. It is an error where
// the target lacks one or its columns differ: no row may be left behind. Tables
// that only the target has are its own.
func matchTables(ctx context.Context, from *Store, to pgx.Tx) ([]moveTable, error) {
	ours, err := sqliteColumns(ctx, from.reader)
	if err != nil {
		return nil, fmt.Errorf("read the tables of %s: %w", from.path, err)
	}
	theirs, err := postgresTables(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("read the tables: %w", err)
	}
	var list []moveTable
	for _, t := range theirs {
		columns, ok := ours[t.name]
		if !ok {
			continue
		}
		delete(ours, t.name)
		for _, c := range t.columns {
			if !slices.Contains(columns, c.name) {
				return nil, fmt.Errorf("%s.%s is missing in %s", t.name, c.name, from.path)
			}
		}
		if len(columns) != len(t.columns) || t.key() == "" {
			return nil, fmt.Errorf("table %s has the columns %v in %s and %v", t.name, columns, from.path, t.names())
		}
		list = append(list, t)
	}
	for name := range ours {
		return nil, fmt.Errorf("there is no table %s", name)
	}
	if list, err = parentsFirst(ctx, to, list); err != nil {
		return nil, err
	}
	_, err = to.Exec(ctx, `LOCK TABLE `+tableNames(list)+` IN ACCESS EXCLUSIVE MODE`)
	return list, err
}

func tableNames(list []moveTable) string {
	names := make([]string, len(list))
	for i, t := range list {
		names[i] = quoted(t.name)
	}
	return strings.Join(names, ", ")
}

// sqliteColumns reads the columns of every table of the publication.
func sqliteColumns(ctx context.Context, q queryer) (map[string][]string, error) {
	tables := map[string][]string{}
	err := each(ctx, q, func(rows *sql.Rows) error {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			return err
		}
		tables[table] = append(tables[table], column)
		return nil
	}, `SELECT t.name, c.name FROM pragma_table_list t JOIN pragma_table_info(t.name) c
		WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT GLOB 'sqlite_*' AND t.name <> 'goose_db_version'`)
	return tables, err
}

// postgresTables reads the tables of the database in the order of their names.
func postgresTables(ctx context.Context, tx pgx.Tx) ([]moveTable, error) {
	rows, err := tx.Query(ctx, `SELECT c.relname, a.attname, format_type(a.atttypid, NULL), a.attidentity <> '',
			coalesce(array_position(CAST(i.indkey AS INT2[]), a.attnum) + 1, 0)
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
		LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
			AND c.relname <> 'goose_db_version' AND a.attnum > 0 AND NOT a.attisdropped
		ORDER BY c.relname, a.attnum`)
	if err != nil {
		return nil, err
	}
	var list []moveTable
	var table string
	var c moveColumn
	_, err = pgx.ForEachRow(rows, []any{&table, &c.name, &c.kind, &c.identity, &c.key}, func() error {
		if len(list) == 0 || list[len(list)-1].name != table {
			list = append(list, moveTable{name: table})
		}
		t := &list[len(list)-1]
		t.columns = append(t.columns, c)
		return nil
	})
	return list, err
}

// parentsFirst puts the tables that others refer to before them.
func parentsFirst(ctx context.Context, tx pgx.Tx, list []moveTable) ([]moveTable, error) {
	rows, err := tx.Query(ctx, `SELECT c.relname, p.relname FROM pg_catalog.pg_constraint r
		JOIN pg_catalog.pg_class c ON c.oid = r.conrelid JOIN pg_catalog.pg_class p ON p.oid = r.confrelid
		WHERE r.contype = 'f' AND r.connamespace = current_schema()::regnamespace AND c.oid <> p.oid`)
	if err != nil {
		return nil, err
	}
	parents := map[string][]string{}
	var child, parent string
	_, err = pgx.ForEachRow(rows, []any{&child, &parent}, func() error {
		parents[child] = append(parents[child], parent)
		return nil
	})
	if err != nil {
		return nil, err
	}
	var sorted []moveTable
	left := func(name string) bool {
		return slices.ContainsFunc(list, func(t moveTable) bool { return t.name == name })
	}
	for len(list) > 0 {
		i := slices.IndexFunc(list, func(t moveTable) bool { return !slices.ContainsFunc(parents[t.name], left) })
		if i < 0 {
			return nil, fmt.Errorf("the tables %s refer to each other", tableNames(list))
		}
		sorted = append(sorted, list[i])
		list = slices.Delete(list, i, i+1)
	}
	return sorted, nil
}

// emptyTarget makes sure that nothing stands in the target but the keys that
// were made with it, and takes those away.
func (m *mover) emptyTarget(ctx context.Context, tx pgx.Tx) error {
	for _, t := range m.tables {
		var some bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM `+quoted(t.name)+`)`).Scan(&some); err != nil {
			return err
		}
		if some && t.name != "keys" {
			return fmt.Errorf("the database is not empty: there are rows in %s; name one that is new (createdb makes one)", t.name)
		}
	}
	_, err := tx.Exec(ctx, `TRUNCATE `+tableNames(m.tables)) // also lets COPY freeze the rows
	return err
}
