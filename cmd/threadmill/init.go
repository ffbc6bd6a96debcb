package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"threadmill/internal/store"
	"threadmill/templates"
)

//go:embed init/config.yaml
var initConfig string

//go:embed init/thread.md
var initThread []byte

const initIgnore = `# what threadmill makes, and what nobody else may read
/threadmill.db*
/public/
/keys/
/backups/
/preview/
/mail/
.env
`

const initEnv = `# Secrets for config.yaml: ${NAME} there is replaced by the value here.
SMTP_PASSWORD=
`

func (a *app) initCommand() *cobra.Command {
	var withTemplates, yes bool
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Begin a publication in a folder",
		Long:  `Init writes a config, a thread to begin with, and the files around them. What is there already is left alone.`,
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			return a.init(cmd, dir, withTemplates)
		},
	}
	cmd.Flags().BoolVar(&withTemplates, "templates", false, "write the templates too, to change them")
	cmd.Flags().BoolVar(&yes, "yes", false, "for scripts: take the defaults; init asks nothing without it either")
	return cmd
}

func (a *app) init(cmd *cobra.Command, dir string, withTemplates bool) error {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	var config bytes.Buffer
	title := strings.TrimSpace(filepath.Base(absolute))
	if title == "" || title == string(filepath.Separator) {
		title = "My threads"
	}
	values := map[string]any{"Title": title, "Templates": withTemplates}
	if err := template.Must(template.New("config.yaml").Parse(initConfig)).Execute(&config, values); err != nil {
		return err
	}
	for _, f := range []struct {
		name    string
		content []byte
		mode    os.FileMode
	}{
		{"config.yaml", config.Bytes(), 0o600},
		{filepath.Join("threads", "hello.md"), initThread, 0o644},
		{".gitignore", []byte(initIgnore), 0o644},
		{".env", []byte(initEnv), 0o600},
	} {
		written, err := writeNew(filepath.Join(dir, f.name), f.content, f.mode)
		if err != nil {
			return fmt.Errorf("write %s: %w", f.name, err)
		}
		a.told(a.stdout, filepath.Join(dir, f.name), written)
	}
	if withTemplates {
		keep := func(name string) bool { return filepath.Ext(name) != ".go" }
		if err := copyNew(templates.FS, filepath.Join(dir, "templates"), keep); err != nil {
			return fmt.Errorf("write the templates: %w", err)
		}
		a.told(a.stdout, filepath.Join(dir, "templates"), true)
	}
	s, err := store.Open(cmd.Context(), filepath.Join(dir, "threadmill.db"), a.log(slog.LevelWarn))
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	printLines(a.stdout, "",
		"Next: write the site's address, the sender and the relay into config.yaml,",
		"put threads into the threads folder, and look with `threadmill check`.")
	return nil
}

func (a *app) told(w io.Writer, path string, written bool) {
	verb := "wrote"
	if !written {
		verb = "left "
	}
	fmt.Fprintf(w, "%s %s\n", verb, path)
}
