package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/importer"
)

func (a *app) importCommand() *cobra.Command {
	var out string
	var write bool
	var opt importer.Options
	var formats []string
	for _, f := range importer.Formats() {
		formats = append(formats, fmt.Sprintf("  %-14s %s", f.Name, f.Summary))
	}
	cmd := &cobra.Command{
		Use:   "import FORMAT PATH",
		Short: "Turn a foreign archive into thread files",
		Long: "Import reads an archive and writes thread files, drafts unless --ready, never over\na file that was changed. Without --write it only says what it would do.\n\nFORMATS\n" +
			strings.Join(formats, "\n"),
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			format, ok := importer.Find(args[0])
			if !ok {
				return &usageError{fmt.Errorf("import: there is no format %q; `threadmill help import` lists them", args[0])}
			}
			return a.importThreads(cmd.Context(), format, args[1], out, write, opt)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "write into this `folder` instead of the threads folder")
	cmd.Flags().BoolVar(&write, "write", false, "write the files")
	cmd.Flags().BoolVar(&opt.Ready, "ready", false, "make the threads ready to go out instead of drafts")
	cmd.Flags().IntVar(&opt.Year, "year", 0, "the `year` of the newest thread, where dates have none")
	return cmd
}

func (a *app) importThreads(ctx context.Context, format importer.Format, path, out string, write bool, opt importer.Options) error {
	p, err := a.open(ctx, slog.LevelWarn, false)
	if err != nil {
		return err
	}
	defer p.close()
	opt.Zone, opt.Now = p.facts.Zone, time.Now()
	result, err := format.Read(ctx, path, opt)
	if err != nil {
		return err
	}
	for _, note := range result.Notes {
		fmt.Fprintln(a.stderr, note)
	}
	for _, s := range result.Skipped {
		fmt.Fprintf(a.stderr, "%s: skipped: %s\n", s.Where, s.Why)
	}
	dir := p.Path(p.Threads)
	if out != "" {
		dir = out
	}
	if dir == "" {
		return &usageError{errors.New("import: this node has no threads folder (threads in the config); name one with --out")}
	}
	if !write {
		for _, f := range result.Files {
			fmt.Fprintf(a.stdout, "%s  %s, “%s”\n", f.Name, plural(f.Posts, "post"), f.Title)
		}
		fmt.Fprintf(a.stdout, "%s found; add --write to write them into %s.\n", plural(len(result.Files), "thread"), dir)
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	report, err := importer.Write(dir, result)
	if err != nil {
		return err
	}
	for _, name := range report.Kept {
		fmt.Fprintf(a.stderr, "%s: left as it is; the file was changed, or its thread stands in another file\n", name)
	}
	fmt.Fprintf(a.stdout, "%s written into %s, %d unchanged, %d left as they are.\n",
		plural(len(report.Written), "thread"), dir, len(report.Unchanged), len(report.Kept))
	return nil
}
