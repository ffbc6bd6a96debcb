package audience

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Export writes all that is kept of everybody as CSV, by their addresses:
// first the columns of the list, then the rest. Mailboxes that are only
// suppressed are among them, without a created_at. Import reads it back to the
// same list.
func (a *Audience) Export(ctx context.Context, w io.Writer) error {
	out := csv.NewWriter(w)
	// The writer keeps its first error for the end.
	_ = out.Write(ownColumns[:])
	for rec, err := range a.store.Records(ctx) {
		if err != nil {
			return fmt.Errorf("export subscribers: %w", err)
		}
		row, err := ownRow(&rec)
		if err == nil {
			err = out.Write(row)
		}
		if err != nil {
			return fmt.Errorf("export subscribers: %w", err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("export subscribers: %w", err)
	}
	return nil
}

// ExportJSON is Export as a JSON array, whose objects have the columns for
// keys.
func (a *Audience) ExportJSON(ctx context.Context, w io.Writer) error {
	before := "[\n"
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for rec, err := range a.store.Records(ctx) {
		if err == nil {
			_, err = out.WriteString(before)
		}
		if err == nil {
			err = enc.Encode(ownObject(&rec))
		}
		if err != nil {
			return fmt.Errorf("export subscribers: %w", err)
		}
		before = ","
	}
	if before != "," {
		_, _ = out.WriteString(before) // the writer keeps its first error for the end
	}
	_, _ = out.WriteString("]\n")
	if err := out.Flush(); err != nil {
		return fmt.Errorf("export subscribers: %w", err)
	}
	return nil
}

// guard keeps a spreadsheet from running a cell as a formula: one that begins
// like a formula gets an apostrophe, which unguard takes off again. A cell
// that has some already gets one more, so that nothing is lost.
func guard(cell string) string {
	if formula(strings.TrimLeft(cell, "'")) {
		return "'" + cell
	}
	return cell
}

func unguard(cell string) string {
	if rest, ok := strings.CutPrefix(cell, "'"); ok && formula(strings.TrimLeft(rest, "'")) {
		return rest
	}
	return cell
}

func formula(s string) bool { return s != "" && strings.ContainsRune("=+-@", rune(s[0])) }
