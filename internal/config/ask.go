package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/joho/godotenv"
)

// Check tells what is wrong with text as the value of a key such as
// "schedule.timezone", as Load would.
func Check(key, text string) error {
	c := Default()
	for _, s := range c.settings() {
		if s.key != key {
			continue
		}
		if strings.Contains(text, "${") {
			return errors.New("${ begins the name of a variable here; leave it out")
		}
		return s.set(text)
	}
	return fmt.Errorf("there is no key %s", key)
}

// Providers are the values that mail.provider takes.
func Providers() []string { return providers() }

// DotenvLine is the line of .env that sets a variable to value, in the first
// kind of quotes that gives it back, or in none.
func DotenvLine(name, value string) (string, error) {
	escaped := strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`).Replace(value)
	bare := strings.ReplaceAll(value, `$`, `\$`)
	for _, line := range []string{name + "='" + value + "'\n", name + `="` + escaped + "\"\n", name + "=" + bare + "\n"} {
		if read, err := godotenv.Unmarshal(line); err == nil && len(read) == 1 && read[name] == value {
			return line, nil
		}
	}
	return "", errors.New("holds characters that no line of .env can hold; put it into a file and name that in password_file")
}

// SecretFile is a file that only the publication's own user may read.
type SecretFile struct {
	Key  string // that names it; empty for .env
	Path string // as it is written
}

// ClearSecrets are the keys of the secrets that the config itself holds.
func (c *Config) ClearSecrets() []string { return c.clear }

// SecretFiles are those that the configuration names, whether they are there or
// not.
func (c *Config) SecretFiles() []SecretFile {
	files := []SecretFile{
		{"mail.smtp.password_file", c.Mail.SMTP.PasswordFile},
		{"mail.bounce.imap.password_file", c.Mail.Bounce.IMAP.PasswordFile},
		{"mail.webhooks.postmark_file", c.Mail.Webhooks.PostmarkFile},
		{"mail.webhooks.mailgun_file", c.Mail.Webhooks.MailgunFile},
		{"database_file", c.DatabaseFile},
	}
	if !strings.Contains(c.Database.Reveal(), "://") {
		files = append(files, SecretFile{"database", c.Database.Reveal()})
	}
	for i, d := range c.Mail.DKIM {
		files = append(files, SecretFile{dkimItemKey(i), d.Key})
	}
	files = append(files, SecretFile{"", ".env"})
	named := files[:0]
	for _, f := range files {
		if f.Path != "" {
			named = append(named, f)
		}
	}
	return named
}
