package audience

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"time"

	"threadmill/internal/newsletter"
)

// Export writes the whole list as CSV with the columns email, name, status,
// tags and created_at. Import reads it back to the same list.
func (a *Audience) Export(ctx context.Context, w io.Writer) error {
	out := csv.NewWriter(w)
	// The writer keeps its first error for the end.
	_ = out.Write([]string{"email", "name", "status", "tags", "created_at"})
	for sub, err := range a.store.Subscribers(ctx) {
		if err != nil {
			return fmt.Errorf("export subscribers: %w", err)
		}
		if err := out.Write(row(sub)); err != nil {
			return fmt.Errorf("export subscribers: %w", err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("export subscribers: %w", err)
	}
	return nil
}

func row(sub newsletter.Subscriber) []string {
	return []string{
		guard(sub.Email), guard(sub.Name), string(sub.Status), guard(strings.Join(sub.Tags, ",")),
		sub.CreatedAt.UTC().Format(time.RFC3339Nano),
	}
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
