package main

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/backup"
	"threadmill/internal/config"
)

// The places of files in an archive.
const (
	backupDatabase  = "database.db"
	backupConfig    = "config.yaml"
	backupFiles     = "files/"     // what lies below the config's folder
	backupElsewhere = "elsewhere/" // what the config names outside of it
)

func (a *app) backupCommand() *cobra.Command {
	var plain bool
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write one archive of the publication, also while mail goes out",
		Long: `Backup writes database, config, threads, templates, pictures, .env and keys into one
archive, by the name FILE as .tar.zst or .tar.gz. A FILE with any other ending gets
the database alone. ` + "`threadmill restore`" + ` makes a publication of an archive again.

The archive holds the addresses of your readers in any case; only its owner can read
it. With --no-secrets it has no .env, no keys that sign mail, no files of passwords,
and of the database not the keys of the links in mails and no certificates: links in
mails that went out before do not work after it is restored.

A PostgreSQL database is backed up by its own tools, such as pg_dump.`,
		Args: one("which file", "backup FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(p *publication) error {
				if err := p.backUp(cmd.Context(), args[0], plain); err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "Backed up to %s.\n", args[0])
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&plain, "no-secrets", false, "leave out .env, keys and passwords")
	return cmd
}

// backUp writes an archive, or the database alone, to a file that is not there.
func (p *publication) backUp(ctx context.Context, file string, plain bool) error {
	copyTo := p.store.Backup
	if plain {
		if err := p.inlineSecret(); err != nil {
			return err
		}
		copyTo = p.store.BackupPlain
	}
	if !backup.IsName(file) {
		return copyTo(ctx, file)
	}
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("back up to %s: the file exists; name another one", file)
	}
	dir, err := os.MkdirTemp(filepath.Dir(file), ".threadmill-backup-*") // beside it, where there is room
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	defer os.RemoveAll(dir)
	list := backup.List{CreatedAt: time.Now().UTC().Truncate(time.Millisecond), Program: version, Secrets: !plain}
	database := filepath.Join(dir, "db")
	if err := copyTo(ctx, database); err != nil {
		return err
	}
	files, err := p.backupFiles(plain)
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	files = append(files, backup.File{Name: backupDatabase, Path: database, Mode: 0o600})
	whole := filepath.Join(dir, "archive")
	if err := writeArchive(whole, file, list, files); err != nil {
		return fmt.Errorf("back up to %s: %w", file, err)
	}
	if err := os.Link(whole, file); err != nil { // unlike a rename it spares a file that came meanwhile
		return os.Rename(whole, file) // where there are no links
	}
	return nil
}

func writeArchive(whole, name string, list backup.List, files []backup.File) error {
	f, err := os.OpenFile(whole, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = backup.Write(f, name, list, files)
	return cmp.Or(err, f.Sync(), f.Close())
}

// inlineSecret is an error where a password stands in the config itself.
func (p *publication) inlineSecret() error {
	text, err := os.ReadFile(p.configFile)
	if err != nil {
		return err
	}
	for key, secret := range map[string]config.Secret{
		"mail.smtp.password":        p.Mail.SMTP.Password,
		"mail.bounce.imap.password": p.Mail.Bounce.IMAP.Password,
		"mail.webhooks.postmark":    p.Mail.Webhooks.Postmark,
		"mail.webhooks.mailgun":     p.Mail.Webhooks.Mailgun,
	} {
		if secret != "" && p.Given(key) && strings.Contains(string(text), secret.Reveal()) {
			return p.wrong(key, fmt.Errorf("stands in the config itself, which a backup without secrets has to hold; write ${NAME} here and the value into .env"))
		}
	}
	return nil
}

// backupFiles are the files of the publication besides the database, by name.
func (p *publication) backupFiles(plain bool) ([]backup.File, error) {
	set := packing{dir: p.Dir, skip: []string{p.Path(p.Output), p.DatabaseSource(), p.Path(p.Backup.Dir)}}
	set.one(p.configFile, backupConfig, 0o600)
	var secret []string
	for _, k := range p.Mail.DKIM {
		secret = append(secret, k.Key)
	}
	secret = append(secret, ".env", p.Mail.SMTP.PasswordFile, p.Mail.Bounce.IMAP.PasswordFile, p.Mail.Webhooks.PostmarkFile,
		p.Mail.Webhooks.MailgunFile, p.DatabaseFile)
	for _, name := range secret {
		if plain && name != "" {
			set.skip = append(set.skip, p.Path(name))
		}
		set.add(p.Path(name), 0o600)
	}
	for _, name := range []string{p.Publication.About, p.Threads, p.Templates, ".gitignore"} {
		set.add(p.Path(name), 0o644)
	}
	if !strings.Contains(p.Publication.Logo, "://") {
		set.add(p.Path(p.Publication.Logo), 0o644)
	}
	slices.SortFunc(set.files, func(a, b backup.File) int { return strings.Compare(a.Name, b.Name) })
	return set.files, set.err
}

// packing gathers the files of an archive, each once.
type packing struct {
	dir   string
	skip  []string // files and folders that are left out, and what begins like them
	files []backup.File
	seen  map[string]bool
	err   error
}

// add adds a file, or all files below a folder; what is not there is left out.
func (s *packing) add(file string, mode fs.FileMode) {
	if file == "" || s.err != nil {
		return
	}
	if _, err := os.Stat(file); os.IsNotExist(err) {
		return
	}
	s.err = filepath.WalkDir(file, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || s.skipped(name)) && name != file {
			return fs.SkipDir
		}
		info, err := os.Stat(name) // through a link to a file
		if err != nil || !info.Mode().IsRegular() || s.skipped(name) {
			return nil //nolint:nilerr // gone meanwhile, or a link to nowhere
		}
		s.one(name, s.name(name), mode)
		return nil
	})
}

func (s *packing) one(file, name string, mode fs.FileMode) {
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	if !s.seen[name] {
		s.seen[name] = true
		s.files = append(s.files, backup.File{Name: name, Path: file, Mode: mode})
	}
}

// skipped also tells of what lies beside a database: -wal, .lock.
func (s *packing) skipped(name string) bool {
	return slices.ContainsFunc(s.skip, func(skip string) bool {
		return name == skip || strings.HasPrefix(name, skip+string(filepath.Separator)) ||
			strings.HasPrefix(name, skip+"-") || strings.HasPrefix(name, skip+".lock")
	})
}

// name is where a file stands in the archive.
func (s *packing) name(file string) string {
	dir, derr := filepath.Abs(s.dir)
	full, err := filepath.Abs(file)
	if err != nil || derr != nil {
		return path.Join(backupElsewhere, filepath.Base(file))
	}
	if rel, err := filepath.Rel(dir, full); err == nil && filepath.IsLocal(rel) {
		return backupFiles + filepath.ToSlash(rel)
	}
	return path.Join(backupElsewhere, filepath.ToSlash(strings.TrimPrefix(full, filepath.VolumeName(full))))
}
