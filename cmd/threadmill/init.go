package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"threadmill/internal/config"
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

const initEnv = "# Secrets for config.yaml: ${NAME} there is replaced by the value here.\n"

func (a *app) initCommand() *cobra.Command {
	var withTemplates, yes bool
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Begin a publication in a folder",
		Long: `Init writes a config, a thread to begin with, and the files around them. What is
there already is left alone. At a terminal it asks for what the config needs;
Ctrl-C leaves nothing behind.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			return a.init(cmd.Context(), dir, withTemplates, yes)
		},
	}
	cmd.Flags().BoolVar(&withTemplates, "templates", false, "write the templates too, to change them")
	cmd.Flags().BoolVar(&yes, "yes", false, "ask nothing and take the defaults, as without a terminal")
	return cmd
}

func (a *app) init(ctx context.Context, dir string, withTemplates, yes bool) error {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	title := strings.TrimSpace(filepath.Base(absolute))
	if title == "" || config.Check("publication.title", title) != nil || title == string(filepath.Separator) {
		title = "My threads"
	}
	b := a.usualBeginning(title)
	b.Templates = withTemplates
	_, err = os.Lstat(filepath.Join(dir, "config.yaml"))
	if errors.Is(err, fs.ErrNotExist) && !yes && terminal(a.stdin) && terminal(a.stdout) {
		if b, err = a.askBeginning(ctx, b); err != nil {
			return err
		}
	}
	if err := a.writeBeginning(dir, b); err != nil {
		return err
	}
	s, err := store.Open(ctx, filepath.Join(dir, "threadmill.db"), a.log(slog.LevelWarn))
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	next := "`threadmill check`"
	if dir != "." {
		next = "`cd " + dir + "`, and there " + next
	}
	printLines(a.stdout, "", "Next: "+next+" tells what is missing.")
	return nil
}

// writeBeginning writes the files of a new publication.
func (a *app) writeBeginning(dir string, b beginning) error {
	var text bytes.Buffer
	words := template.FuncMap{"quote": quoted, "plain": plainYAML}
	if err := template.Must(template.New("config.yaml").Funcs(words).Parse(initConfig)).Execute(&text, &b); err != nil {
		return err
	}
	secret, err := config.DotenvLine("SMTP_PASSWORD", b.password)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name    string
		content []byte
		mode    os.FileMode
	}{
		{"config.yaml", text.Bytes(), 0o600},
		{filepath.Join("threads", "hello.md"), initThread, 0o644},
		{".gitignore", []byte(initIgnore), 0o644},
		{".env", []byte(initEnv + secret), 0o600},
	} {
		written, err := writeNew(filepath.Join(dir, f.name), f.content, f.mode)
		if err != nil {
			return fmt.Errorf("write %s: %w", f.name, err)
		}
		a.told(a.stdout, filepath.Join(dir, f.name), written)
	}
	if b.Templates {
		keep := func(name string) bool { return filepath.Ext(name) != ".go" }
		if err := copyNew(templates.FS, filepath.Join(dir, "templates"), keep); err != nil {
			return fmt.Errorf("write the templates: %w", err)
		}
		a.told(a.stdout, filepath.Join(dir, "templates"), true)
	}
	return nil
}

func (a *app) told(w io.Writer, path string, written bool) {
	verb := "wrote"
	if !written {
		verb = "left "
	}
	fmt.Fprintf(w, "%s %s\n", verb, path)
}
