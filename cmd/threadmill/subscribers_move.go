package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"threadmill/internal/audience"
	"threadmill/internal/newsletter"
)

// importWishes are the flags of `subscribers import`.
type importWishes struct {
	asJSON, dryRun  bool
	status, consent string
	told            bool // the consent was given
}

func (a *app) subscribersImport() *cobra.Command {
	var o importWishes
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Import a list, - for a CSV file on standard input",
		Long: `Import reads a CSV file, its own or one of the well-known services, or the zip that
they hand out. It is safe to repeat, and never raises anybody from unsubscribed,
bounced, complained or suppressed. Lines that give no subscriber are named and
left out.`,
		Args: one("which file", "subscribers import FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.told = cmd.Flags().Changed("consent")
			return a.withStore(cmd.Context(), func(p *publication) error { return a.importSubscribers(cmd.Context(), p, args[0], o) })
		},
	}
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print a JSON object")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "only tell what would become of them")
	cmd.Flags().StringVar(&o.status, "status", "", "the `status` of rows that tell none (default active)")
	cmd.Flags().StringVar(&o.consent, "consent", "", "what they agreed to, when and where; a `text` that is kept with them")
	return cmd
}

// statusFlag reads a status that was given; empty for none.
func statusFlag(s string) (newsletter.SubscriberStatus, error) {
	known := []newsletter.SubscriberStatus{
		newsletter.SubscriberActive, newsletter.SubscriberPending, newsletter.SubscriberUnsubscribed,
		newsletter.SubscriberBounced, newsletter.SubscriberComplained, newsletter.SubscriberSuppressed,
	}
	if status := newsletter.SubscriberStatus(s); s == "" || slices.Contains(known, status) {
		return status, nil
	}
	return "", &usageError{fmt.Errorf("there is no status %q; known are %s", s, joined(known))}
}

func joined(list []newsletter.SubscriberStatus) string {
	texts := make([]string, len(list))
	for i, s := range list {
		texts[i] = string(s)
	}
	return strings.Join(texts, ", ")
}

func (a *app) importSubscribers(ctx context.Context, p *publication, path string, o importWishes) error {
	status, err := statusFlag(o.status)
	if err != nil {
		return err
	}
	opt := audience.ImportOptions{Status: status, File: filepath.Base(path)}
	if path == "-" {
		opt.File = "standard input"
	}
	if o.dryRun {
		rehearsal, err := p.store.Rehearse(ctx)
		if err != nil {
			return err
		}
		defer rehearsal.Close()
		opt.Rehearsal = rehearsal
	}
	said := a.consent(path, o, &opt)
	report, err := a.readList(ctx, p, path, opt)
	a.reportImport(path, report)
	if err != nil {
		return err
	}
	if n := report.Became[newsletter.SubscriberActive]; n > 0 && !o.dryRun && said() == "" {
		fmt.Fprintln(a.stderr, "note: nobody said what these people agreed to, and it is not kept with them; `--consent \"…\"` says it")
	}
	return a.printImport(report, o)
}

// consent sets where an import learns what people agreed to: by the flag, else
// by a question on the terminal.
func (a *app) consent(path string, o importWishes, opt *audience.ImportOptions) (said func() string) {
	text := o.consent
	opt.Consent = func(ctx context.Context) (string, error) {
		if o.told || o.dryRun || path == "-" || !terminal(a.stdin) || !terminal(a.stdout) {
			return text, nil
		}
		var err error
		text, err = a.ask(ctx, "These people will get mail. What did they agree to, when and where? It is kept with them (may be empty): ")
		return text, err
	}
	return func() string { return strings.TrimSpace(text) }
}

// ask asks for one line on the terminal; a signal is errInterrupted.
func (a *app) ask(ctx context.Context, question string) (string, error) {
	fmt.Fprint(a.stdout, question)
	answer := make(chan string, 1)
	go func() { // ends with the answer, or with the process
		line, _ := bufio.NewReader(a.stdin).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case line := <-answer:
		return line, nil
	case <-ctx.Done():
		fmt.Fprintln(a.stdout)
		return "", fmt.Errorf("%w: nothing was imported", errInterrupted)
	}
}

// readList imports a file, an archive or what comes in.
func (a *app) readList(ctx context.Context, p *publication, path string, opt audience.ImportOptions) (audience.ImportReport, error) {
	in, size := a.stdin, int64(-1)
	var file *os.File
	if path != "-" {
		var err error
		if file, err = os.Open(path); err != nil {
			return audience.ImportReport{}, &usageError{fmt.Errorf("import subscribers: %w", err)}
		}
		defer file.Close()
		if info, err := file.Stat(); err == nil {
			size = info.Size()
		}
		in = file
	}
	begin := make([]byte, 4)
	archive := false
	if file != nil {
		n, err := file.ReadAt(begin, 0)
		archive = (err == nil || errors.Is(err, io.EOF)) && audience.IsArchive(begin[:n])
	}
	if terminal(a.stderr) {
		var bar *progressbar.ProgressBar
		total := size
		if archive {
			total = -1 // what it unpacks to is not known
		}
		opt.Progress = func(done int64) {
			if bar == nil { // not before the question
				bar = newBar(a.stderr, total, "import", progressbar.OptionShowBytes(true))
			}
			_ = bar.Set64(done) // only for the eye
		}
		defer func() {
			if bar != nil {
				_ = bar.Finish()
			}
		}()
	}
	take := func() (audience.ImportReport, error) { return p.audience.Import(ctx, in, opt) }
	if archive {
		take = func() (audience.ImportReport, error) { return p.audience.ImportArchive(ctx, file, size, opt) }
	}
	report, err := take()
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return report, err
}

// reportImport tells what was left out.
func (a *app) reportImport(path string, report audience.ImportReport) {
	for _, r := range report.Refused {
		where := path
		if r.File != "" {
			where += "/" + r.File
		}
		fmt.Fprintf(a.stderr, "%s:%d: %s: %s\n", where, r.Line, r.Why, r.Text)
	}
	if hidden := report.RefusedRows - len(report.Refused); hidden > 0 {
		fmt.Fprintf(a.stderr, "%s: %d more lines were refused\n", path, hidden)
	}
	for _, w := range report.Warnings {
		fmt.Fprintf(a.stderr, "%s: %s\n", path, w)
	}
	if len(report.Read) > 0 {
		fmt.Fprintf(a.stderr, "%s: read %s\n", path, strings.Join(report.Read, ", "))
	}
	if n := len(report.Left); n > 0 {
		shown := report.Left[:min(n, 5)]
		text := strings.Join(shown, ", ")
		if n > len(shown) {
			text += fmt.Sprintf(" and %d more", n-len(shown))
		}
		fmt.Fprintf(a.stderr, "%s: left alone %s\n", path, text)
	}
}

func (a *app) printImport(report audience.ImportReport, o importWishes) error {
	if o.asJSON {
		became := map[newsletter.SubscriberStatus]int{}
		maps.Copy(became, report.Became)
		return printJSON(a.stdout, map[string]any{
			"rows": report.Rows, "added": report.Added, "completed": report.Completed, "unchanged": report.Unchanged,
			"kept": report.Kept, "refused": report.RefusedRows, "became": became, "dry_run": o.dryRun,
		})
	}
	fmt.Fprintf(a.stdout, "%s: %d added, %d completed, %d unchanged, %d kept as they are, %d refused.\n",
		plural(report.Rows, "row"), report.Added, report.Completed, report.Unchanged, report.Kept, report.RefusedRows)
	var became []string
	for _, status := range report.Statuses() {
		became = append(became, fmt.Sprintf("%d %s", report.Became[status], status))
	}
	switch text := strings.Join(became, ", "); {
	case o.dryRun && text != "":
		fmt.Fprintf(a.stdout, "Nothing was written; %s would be new.\n", text)
	case o.dryRun:
		fmt.Fprintln(a.stdout, "Nothing was written, and nothing would be new.")
	case text != "":
		fmt.Fprintf(a.stdout, "New: %s.\n", text)
	}
	return nil
}

func (a *app) subscribersExport() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "export [FILE]",
		Short: "Write all that is kept of everybody",
		Long: `Export writes the list with all that is kept of everybody, as CSV or JSON: also who
left, bounced or was removed, so that an import into another publication keeps them
away. Whoever was forgotten is not in it.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(p *publication) error {
				export, ok := map[string]func(context.Context, io.Writer) error{"csv": p.audience.Export, "json": p.audience.ExportJSON}[format]
				if !ok {
					return &usageError{fmt.Errorf("export: there is no format %q; known are csv, json", format)}
				}
				if len(args) == 0 || args[0] == "-" {
					return export(cmd.Context(), a.stdout)
				}
				return writeWhole(args[0], func(w io.Writer) error { return export(cmd.Context(), w) })
			})
		},
	}
	cmd.Flags().StringVar(&format, "format", "csv", "the `format`: csv or json")
	return cmd
}
