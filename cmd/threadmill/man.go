package main

import (
	"os"
	"path/filepath"
	"strconv"
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
	header := &doc.GenManHeader{Section: "1", Date: &date, Source: "threadmill " + version, Manual: "Threadmill"}
	if err := doc.GenManTree(root, header, pages); err != nil {
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
