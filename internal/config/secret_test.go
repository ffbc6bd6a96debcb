package config_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"threadmill/internal/config"
)

// printed is a value in all the ways in which it might get out.
func printed(t *testing.T, value any) string {
	t.Helper()
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb+"\n", value)
	}
	log := slog.New(slog.NewTextHandler(&b, nil))
	log.Info("text", "value", value)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("json", "value", value)
	for name, marshal := range map[string]func(any) ([]byte, error){"json": json.Marshal, "yaml": func(v any) ([]byte, error) { return yaml.Marshal(v) }} {
		data, err := marshal(value)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		b.Write(data)
	}
	return b.String()
}

func TestSecretsAreNotPrinted(t *testing.T) {
	var c config.Config
	c.Mail.SMTP.Password = "hunter2"
	c.Database = "postgres://jo:hunter2@db.example.com:5432/threads?sslpassword=hunter2"
	for _, value := range []any{c, &c, c.Mail.SMTP.Password, c.Database, []config.Secret{"hunter2"}, map[string]config.Secret{"a": "hunter2"}} {
		got := printed(t, value)
		for _, secret := range []string{"hunter2", "68756e74657232", "104 117"} {
			if strings.Contains(got, secret) {
				t.Errorf("%T shows its secret:\n%s", value, got)
			}
		}
		if !strings.Contains(got, "[redacted]") {
			t.Errorf("%T does not say that it is redacted:\n%s", value, got)
		}
	}
	if text, err := xml.Marshal(c.Mail.SMTP); err != nil || strings.Contains(string(text), "hunter2") {
		t.Errorf("XML: %s %v", text, err)
	}
	if got := c.Mail.SMTP.Password.Reveal(); got != "hunter2" {
		t.Errorf("Reveal = %q", got)
	}
	if got := fmt.Sprintf("%v%q", config.Secret(""), config.Secret("")); got != "" {
		t.Errorf("an empty secret prints as %s", got)
	}
}

func TestDatabaseString(t *testing.T) {
	for database, want := range map[config.Database]string{
		"threadmill.db":                            "threadmill.db",
		"/var/lib/threadmill.db":                   "/var/lib/threadmill.db",
		"postgres://db.example.com/threads":        "postgres://db.example.com/threads",
		"postgres://jo@db.example.com/threads":     "postgres://jo@db.example.com/threads",
		"postgres://jo:x@db.example.com:5432/t":    "postgres://jo:[redacted]@db.example.com:5432/t",
		"postgres://jo:p@ss@db/t":                  "postgres://jo:[redacted]@db/t",
		"postgres:///t?host=/run&password=secret":  "postgres:///t?[redacted]",
		"postgres://jo:12/secret@db/t":             "[redacted]",
		"postgres://jo:12#secret@db/t":             "[redacted]",
		"postgres://jo:12?secret@db/t":             "[redacted]",
		"postgres://jo:se/cret@db/t":               "[redacted]",
		"host=db user=jo password=secret dbname=t": "[redacted]",
		"postgres://db/t\x7f":                      "[redacted]",
	} {
		if got := database.String(); got != want {
			t.Errorf("%q prints as %s, want %s", database.Reveal(), got, want)
		}
	}
}

func TestSecretFiles(t *testing.T) {
	for content, want := range map[string]string{
		"hunter2": "hunter2", "hunter2\n": "hunter2", "hunter2\r\n": "hunter2", " hunter2 \n": " hunter2 ", "${NAME}": "${NAME}",
	} {
		path := write(t, map[string]string{
			"config.yaml": site + "mail: {smtp: {username: jo, password: '', password_file: pw}}\ndatabase_file: db\n",
			"pw":          content,
			"db":          "postgres://jo:hunter2@db/t\n",
		})
		c, err := config.Load(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Mail.SMTP.Password.Reveal(); got != want {
			t.Errorf("%q: password %q, want %q", content, got, want)
		}
		if got := c.DatabaseSource(); got != "postgres://jo:hunter2@db/t" {
			t.Errorf("database %q", got)
		}
		if len(c.Warnings) > 0 {
			t.Errorf("warnings: %q", c.Warnings)
		}
		got := c.Redacted()
		if strings.Contains(got, "hunter2") || strings.Contains(got, "\n    password:") || !strings.Contains(got, "    password_file: pw\n") {
			t.Errorf("Redacted:\n%s", got)
		}
	}
}

func TestWarnings(t *testing.T) {
	const typed = "config.yaml:%s a secret in a file that other users can read; write ${NAME} and set NAME in .env, or run chmod 600 config.yaml"
	tests := []struct {
		name, text string
		public     string // the file that others can read
		want       []string
	}{
		{"all private", "mail: {smtp: {username: jo, password: hunter2}}", "", nil},
		{"typed password", "mail: {smtp: {username: jo, password: hunter2}}", "config.yaml", []string{fmt.Sprintf(typed, "2:39: mail.smtp.password:")}},
		{"typed database", "database: postgres://jo:hunter2@db/t", "config.yaml", []string{fmt.Sprintf(typed, "2:11: database:")}},
		{"nothing secret", "database: postgres://db/t", "config.yaml", nil},
		{"password from a variable", "mail: {smtp: {username: jo, password: '${PW}'}}", "config.yaml", nil},
		{"public .env", "mail: {smtp: {username: jo, password: '${PW}'}}", ".env", []string{".env: can be read by other users; run chmod 600 .env"}},
		{"public password", "mail: {smtp: {username: jo, password_file: pw}}", "pw", []string{"config.yaml:2:44: mail.smtp.password_file: pw can be read by other users; run chmod 600 pw"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := write(t, map[string]string{"config.yaml": site + test.text, ".env": "PW=hunter2", "pw": "hunter2"})
			if test.public != "" {
				if err := os.Chmod(filepath.Join(filepath.Dir(path), test.public), 0o640); err != nil {
					t.Fatal(err)
				}
			}
			c, err := config.Load(path, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, warning := range c.Warnings {
				got = append(got, strings.ReplaceAll(warning, filepath.Dir(path)+"/", ""))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCredentials reads secrets as systemd hands them out: the group's
// permissions are the mask of an ACL there, but everybody's are what they say.
func TestCredentials(t *testing.T) {
	folder := t.TempDir()
	path := write(t, map[string]string{"config.yaml": site + "mail: {smtp: {username: jo, password_file: '${CREDENTIALS_DIRECTORY}/pw'}}"})
	pw := filepath.Join(folder, "pw")
	if err := os.WriteFile(pw, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]int{0o400: 0, 0o440: 0, 0o444: 1} {
		if err := os.Chmod(pw, mode); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(path, func(name string) (string, bool) { return folder, name == "CREDENTIALS_DIRECTORY" })
		if err != nil {
			t.Fatal(err)
		}
		if c.Mail.SMTP.Password.Reveal() != "hunter2" || len(c.Warnings) != want {
			t.Errorf("%o: warnings: %q, want %d", mode, c.Warnings, want)
		}
	}
}

func TestNoValueIsWarnedOf(t *testing.T) {
	c := load(t, "publication:\n  url: https://example.com\n  accent: #ff0000\n")
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "publication.accent: no value, so the default holds") {
		t.Errorf("warnings: %q", c.Warnings)
	}
}
