package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manCommand writes what packages install beside the program.
func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the man pages and shell completions into a folder",
		Long: `Man writes a man page for each command, and the completions for bash, zsh, fish
and PowerShell, into a folder, for packages. SOURCE_DATE_EPOCH dates the pages.`,
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE:   func(cmd *cobra.Command, args []string) error { return a.man(cmd.Root(), args[0]) },
	}
}

// man writes DIR/man1 and DIR/completions. The same program writes the same
// bytes: the date of the pages is that of the source
// (https://reproducible-builds.org/specs/source-date-epoch/).
func (a *app) man(root *cobra.Command, dir string) error {
	date := time.Now()
	if text, ok := a.env("SOURCE_DATE_EPOCH"); ok {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return &usageError{err}
		}
		date = time.Unix(seconds, 0)
	}
	date = date.UTC()
	pages, completions := filepath.Join(dir, "man1"), filepath.Join(dir, "completions")
	for _, d := range []string{pages, completions} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	root.DisableAutoGenTag = true
	intro, examples, _ := strings.Cut(root.Long, "\n\n")
	root.Long = intro + "\n\n" + verbatim(examples) + manSections(root)
	header := &doc.GenManHeader{Section: "1", Date: &date, Source: "threadmill " + version, Manual: "Threadmill"}
	if err := doc.GenManTree(root, header, pages); err != nil {
		return err
	}
	if err := plainFlags(pages); err != nil {
		return err
	}
	for _, c := range []struct {
		name  string
		write func(path string) error
	}{
		{"threadmill.bash", func(path string) error { return root.GenBashCompletionFileV2(path, true) }},
		{"_threadmill", root.GenZshCompletionFile},
		{"threadmill.fish", func(path string) error { return root.GenFishCompletionFile(path, true) }},
		{"threadmill.ps1", root.GenPowerShellCompletionFileWithDesc},
	} {
		if err := c.write(filepath.Join(completions, c.name)); err != nil {
			return err
		}
	}
	return nil
}

// manSections is what the page of the program has more than those of its
// commands, in Markdown.
func manSections(root *cobra.Command) string {
	var commands strings.Builder
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			fmt.Fprintf(&commands, "  %-12s %s\n", c.Name(), c.Short)
		}
	}
	title, statuses, _ := strings.Cut(exitStatusHelp, "\n")
	return "\n\n# COMMANDS\n\n" + verbatim(commands.String()) + "\n# " + title + "\n\n" + verbatim(statuses)
}

// verbatim keeps the lines of a text in Markdown as they are.
func verbatim(text string) string { return "```\n" + strings.TrimRight(text, "\n") + "\n```\n" }

// namedValue is a flag with no default in a man page, and what its text calls
// its value.
var namedValue = regexp.MustCompile(`(\\fB--[a-z-]+\\fP)=""(\n\t[^\n]*?)\\fB([A-Za-z:]+)\\fR`)

// plainFlags writes the flags in the man pages of a folder as one types them:
// --yes for --yes[=false], and --out=DIR for --out="".
func plainFlags(folder string) error {
	pages, err := filepath.Glob(filepath.Join(folder, "*.1"))
	if err != nil {
		return err
	}
	for _, path := range pages {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text = bytes.ReplaceAll(text, []byte("[=false]"), nil)
		text = namedValue.ReplaceAll(text, []byte(`${1}=\fI${3}\fP${2}\fI${3}\fP`))
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
