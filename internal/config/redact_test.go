package config_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/config"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestRedacted(t *testing.T) {
	path := write(t, map[string]string{
		"config.yaml": `
publication: {url: https://example.com, title: "A: \"b\" # c", address: "null"}
database: postgres://jo:hunter2@db.example.com/threads
schedule: {cron: "0 9 * * MON", timezone: Europe/London}
mail:
  from: Jo Smith <jo@example.com>
  smtp: {host: smtp.example.com, username: jo, password: hunter2, timeout: 90s}
  headers: {X-Campaign: weekly, X-Dollar: "$${A}"}
  dkim: [{domain: example.com, selector: tm1, key: "keys/$${A} \"b\".pem"}]
`,
	})
	c, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "redacted.yaml")
	if *update {
		if err := os.WriteFile(golden, []byte(c.Redacted()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), c.Redacted()); diff != "" {
		t.Errorf("Redacted (-want +got):\n%s", diff)
	}
}

// FuzzLoad checks that no file makes Load panic or show a secret, that its
// errors are one line a problem, and that what it accepts passes Validate and
// is read the same from its own printing.
func FuzzLoad(f *testing.F) {
	example, err := os.ReadFile("../../config.example.yaml")
	if err != nil {
		f.Fatal(err)
	}
	golden, err := os.ReadFile(filepath.Join("testdata", "redacted.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(example), "")
	f.Add(string(golden), "A='b'\n")
	f.Add(site+"mail: {smtp: {username: '${A}', password: '${A}'}}", "A=\"x\\ny\"\nexport B=$A")
	f.Add(site+"threads: |\n  a\nfeeds:\n- a", "A: b")
	f.Add(site+"publication.x: 1\n? a\n: b\n<<: *c", "A='")
	f.Fuzz(func(t *testing.T, text, env string) {
		path := write(t, map[string]string{"config.yaml": text, ".env": env})
		c, err := config.Load(path, nil)
		if err != nil {
			checkError(t, err)
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("Validate after Load: %v", err)
		}
		if c.Mail.SMTP.Password != "" || c.DatabaseFile != "" || c.Database.String() != c.Database.Reveal() {
			return // what is redacted cannot be read again
		}
		again, err := config.Load(write(t, map[string]string{"config.yaml": c.Redacted()}), nil)
		if err != nil {
			t.Fatalf("%s\n%v", c.Redacted(), err)
		}
		c.Warnings, again.Warnings = nil, nil
		if diff := cmp.Diff(c, again, ignored()); diff != "" {
			t.Fatalf("%s\nread again (-first +second):\n%s", c.Redacted(), diff)
		}
	})
}
