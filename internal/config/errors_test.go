package config_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/config"
)

// faults returns the keys that an error is about.
func faults(err error) []string {
	invalid, ok := errors.AsType[*config.InvalidError](err)
	if !ok {
		return nil
	}
	var keys []string
	for _, p := range invalid.Problems {
		keys = append(keys, p.Key)
	}
	return keys
}

// loadError returns the error of a config with the folder left out.
func loadError(t *testing.T, files map[string]string) string {
	t.Helper()
	path := write(t, files)
	c, err := config.Load(path, variables("SET", "x", "EMPTY", "", "LINES", "a\nb"))
	if err == nil {
		t.Fatalf("loaded:\n%s", c.Redacted())
	}
	if !errors.Is(err, config.ErrInvalid) {
		t.Errorf("%v is not ErrInvalid", err)
	}
	return strings.ReplaceAll(err.Error(), filepath.Dir(path)+string(filepath.Separator), "")
}

func TestAllProblemsAreReportedTogether(t *testing.T) {
	got := loadError(t, map[string]string{"config.yaml": `publication:
  title: &x A
  description: *x
  author: [Jo]
  languge: en
delivery:
  retry:
    first: 5 minutes
  batch: {a: 1}
timezone: UTC
mail: Jo
threads:
  - a
"a\nb": 1
`})
	want := `config.yaml:2:10: publication.title: a YAML anchor is not understood here; write the plain value
config.yaml:3:16: publication.description: a YAML alias is not understood here; write the plain value
config.yaml:4:3: publication.author: a section is expected here; write its keys below it, indented
config.yaml:5:3: publication.languge: unknown key; did you mean "language"?
config.yaml:8:12: delivery.retry.first: "5 minutes" is not a duration; write 5m
config.yaml:9:3: delivery.batch: one value is expected here, not a section
config.yaml:10:1: timezone: unknown key; did you mean "schedule.timezone"?
config.yaml:11:7: mail: a section is expected here; write its keys below it, indented
config.yaml:12:1: threads: one value is expected here, not a list
config.yaml:14:1: "a\nb": unknown key; the keys here are publication, threads, templates, output, database, database_file, schedule, mail, delivery, audience, privacy, operator, review, hooks, backup, feeds, web
config.yaml: publication.url: missing; write the public address of the site, such as https://example.com`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestYAMLErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", "config.yaml: publication.url: missing; write the public address of the site, such as https://example.com"},
		{"a:\n\tb: 2\n", `config.yaml:2:1: YAML: found character '\t' that cannot start any token`},
		{"a: 'x\n", "config.yaml:1:4: YAML: could not find end character of single-quoted text"},
		{"web: {}\nweb: {}\n", `config.yaml:2:1: YAML: mapping key "web" already defined at [1:1]`},
		{"web:\n  url: a\n   listen: b\n", "config.yaml:2:8: YAML: mapping value is not allowed in this context"},
		{"- a\n" + site, "config.yaml:2:1: YAML: "},
		{"---\n" + site + "---\nweb: {}\n", "config.yaml:3:1: a second document begins here; keep all keys in one"},
		{"publication: \xff\n", "config.yaml: it is not text in UTF-8; save it as such"},
		{"a: " + strings.Repeat("|", 5000), "config.yaml:1:4: YAML: invalid header option: \"||||"},
		{strings.Repeat("#", 1<<20) + "\n", "config.yaml: read the configuration: it has more than 1048576 bytes"},
	}
	for _, test := range tests {
		got := loadError(t, map[string]string{"config.yaml": test.text})
		if !strings.HasPrefix(got, test.want) || strings.Contains(got, "\n") || len(got) > 300 {
			t.Errorf("%.40q: %s\nwant %s", test.text, got, test.want)
		}
	}
}

func TestValueErrors(t *testing.T) {
	tests := []struct{ key, value, want string }{
		{"publication.title", `"a\x07b"`, `"a\ab" holds a control character; remove it`},
		{"publication.url", "example.com", `"example.com" is not an address; write it in full, such as https://example.com`},
		{"publication.url", "ftp://example.com", "is not an address"},
		{"publication.url", "https://", "is not an address"},
		{"publication.url", `"https://a b.example"`, "is not an address"},
		{"publication.url", `"https://example.com/a b"`, "is not an address"},
		{"publication.url", "https://jo:secret@example.com", "the address holds a user name or a password; leave them out"},
		{"publication.url", "https://example.com/?a=1", "has a part behind ? or #; leave it out"},
		{"publication.url", "https://example.com/?", "has a part behind ?"},
		{"publication.url", "https://example.com/#top", "has a part behind ? or #"},
		{"publication.language", "English!", `"English!" is not a language tag; write one such as en or pt-BR`},
		{"publication.language", `""`, "is not a language tag"},
		{"publication.author.email", "Jo <jo@example.com>", "is more than an address; write it without a name"},
		{"publication.author.email", "jo", `"jo" is not a mail address`},
		{"publication.logo", "http://example.com/logo.png", "write it in full with https"},
		{"publication.logo", "logo.svg", "write that of a .png, .jpg or .gif"},
		{"publication.accent", "red", `"red" is not a colour; write it as six hex digits in quotes, such as "#b4532a"`},
		{"publication.accent", `"#12345"`, "is not a colour"},
		{"output", `""`, "empty; write a path or leave the key out"},
		{"templates", `"a\0"`, "holds a control character"},
		{"database", `""`, "empty; write a path such as threadmill.db"},
		{"output", ".", `"." holds the config itself, and readers would get it; write a folder below, such as public`},
		{"output", "..", "holds the config itself"},
		{"output", "threads/..", "holds the config itself"},
		{"threads", "public/threads", `lies in the output folder "public", and readers would get it; write a path outside`},
		{"database", "./public/x.db", "lies in the output folder"},
		{"schedule.timezone", "Mars/Olympus", `"Mars/Olympus" is not a known time zone; write UTC or a name such as Europe/London`},
		{"schedule.timezone", "Local", "is not a known time zone"},
		{"schedule.timezone", `""`, "is not a known time zone"},
		{"schedule.catch_up", "two", `"two" is not known; write one, skip, or how late an issue may be, such as 6h`},
		{"schedule.catch_up", "-1h", "is not known"},
		{"schedule.order", "random", `"random" is not known; write oldest, newest, name or list`},
		{"schedule.threads_per_issue", "0", `"0" is not a whole number from 1 to 50`},
		{"schedule.threads_per_issue", "1.5", "is not a whole number"},
		{"schedule.threads_per_issue", "51", "is not a whole number"},
		{"mail.from", "Jo", `"Jo" is not a mail address; write jo@example.com or Jo Smith <jo@example.com>`},
		{"mail.from", `"Jo\r\nBcc: x <jo@example.com>"`, "is not a mail address"},
		{"mail.from", `"Jo\r\n <jo@example.com>"`, "is not a mail address"},
		{"mail.smtp.host", "smtp.example.com:587", "is not a host; write its name alone, such as smtp.example.com, and the port as port"},
		{"mail.smtp.host", "https://smtp.example.com", "is not a host"},
		{"mail.smtp.port", "0", "is not a whole number from 1 to 65535"},
		{"mail.smtp.port", "587x", `"587x" is not a whole number`},
		{"mail.smtp.tls", "yes", `"yes" is not known; write mandatory, opportunistic, implicit or none`},
		{"mail.smtp.password", `"a\nb"`, "holds a line break or another control character; write it on one line"},
		{"mail.smtp.password", "${LINES}", "holds a line break"},
		{"mail.smtp.password", "${UNSET}", "the variable UNSET is not set; set it in the environment or in .env beside the config"},
		{"mail.smtp.password", "${un set}", "${ begins a variable, but no name and } follow; write ${NAME}, or $${ for the signs themselves"},
		{"mail.smtp.password", "a${SET", "${ begins a variable"},
		{"mail.rate", "-1", `"-1" is not a number from 0 to 100000`},
		{"mail.rate", ".nan", "is not a number"},
		{"mail.rate", "fast", "is not a number"},
		{"mail.smtp.timeout", "0s", `"0s" is not above zero; write a duration such as 5m`},
		{"mail.smtp.timeout", "30", `"30" is not a duration; write one such as 30s, 5m or 72h`},
		{"mail.smtp.timeout", "9000h", `"9000h" is more than a year; write a shorter duration`},
		{"delivery.retry.give_up", "3d", `"3d" is not a duration; write 72h`},
		{"delivery.retry.give_up", "2 weeks", `"2 weeks" is not a duration; write 336h`},
		{"delivery.retry.first", "5h", "5h is longer than delivery.retry.max, which is 4h"},
		{"delivery.retry.max", "73h", "73h is longer than delivery.retry.give_up, which is 72h"},
		{"web.listen", "8080", `"8080" is not an address to listen on; write 127.0.0.1:8080, :8080 or off`},
		{"web.listen", "localhost:http", "is not an address to listen on"},
		{"web.listen", "localhost:70000", "is not an address to listen on"},
		{"web.url", "https://example.com/mail", `web.url: its path is "/mail" and that of publication.url is "", below which run serves everything`},
		{"web.tls", "on", `"on" is not known; write off or auto`},
		{"web.tls", "{auto: 1}", "web.tls"},
		{"web.acme_email", "admin", "is not a mail address"},
		{"web.acme_directory", "acme.example.com", "is not the directory of a certificate authority; write its address in full with https"},
		{"web.acme_directory", "http://acme.example.com/dir", "is not the directory of a certificate authority"},
		{"web.trusted_proxies", "[127.0.0.1, proxy]", `"proxy" is not an address or a network; write one such as 127.0.0.1, 10.0.0.0/8 or fd00::/8`},
		{"web.trusted_proxies", "fe80::1%eth0", "is not an address or a network"},
		{"web.metrics_from", "10.1.2.3/8", `"10.1.2.3/8" names an address in a network; write 10.0.0.0/8 for the network, or the address alone`},
		{"web.admin_from", "10.0.0.0/33", "is not an address or a network"},
		{"mail.headers.Subject", "x", "this header is set by the program; leave it out"},
		{"mail.headers.list-id", "x", "this header is set by the program"},
		{"mail.headers.X A", "x", "not the name of a header; write letters, digits and hyphens, such as X-Campaign"},
		{"mail.headers.X-A", `"a\r\nBcc: b"`, "holds a line break"},
		{"mail.headers.X-A", `""`, "no value; write one or leave the header out"},
		{"mail.headers.X-A", strings.Repeat("x", 999), "longer than the 998 bytes"},
		{"mail.headers.X-A", "[1]", "one value is expected here, not a list"},
	}
	for _, test := range tests {
		text := site
		if strings.HasPrefix(test.key, "publication.") {
			text = ""
		}
		names := strings.Split(test.key, ".")
		for i, name := range names[:len(names)-1] {
			text += strings.Repeat(" ", i) + name + ":\n"
		}
		text += strings.Repeat(" ", len(names)-1) + names[len(names)-1] + ": " + test.value + "\n"
		got := loadError(t, map[string]string{"config.yaml": text})
		first, _, _ := strings.Cut(got, "\n")
		if !strings.Contains(first, test.want) || !strings.HasPrefix(first, "config.yaml:") || !strings.Contains(first, ": "+names[0]) {
			t.Errorf("%s: %s\n%s\nlacks %s", test.key, test.value, first, test.want)
		}
		if strings.Contains(got, "secret") {
			t.Errorf("the error shows a secret: %s", got)
		}
	}
}

func TestConflicts(t *testing.T) {
	tests := []struct {
		name, text string
		files      map[string]string
		want       []string
	}{
		{"a password without a name", "mail: {smtp: {password: x}}", nil, []string{"mail.smtp.username"}},
		{"a name without a password", "mail: {smtp: {username: x}}", nil, []string{"mail.smtp.password"}},
		{"an empty variable for the password", "mail: {smtp: {username: x, password: '${EMPTY}'}}", nil, []string{"mail.smtp.password"}},
		{"a password twice", "mail: {smtp: {username: x, password: y, password_file: pw}}", map[string]string{"pw": "z"}, []string{"mail.smtp.password_file"}},
		{"no password file", "mail: {smtp: {username: x, password_file: pw}}", nil, []string{"mail.smtp.password_file"}},
		{"two lines in the password file", "mail: {smtp: {username: x, password_file: pw}}", map[string]string{"pw": "z\nz\n"}, []string{"mail.smtp.password_file"}},
		{"too much in the password file", "mail: {smtp: {username: x, password_file: pw}}", map[string]string{"pw": strings.Repeat("z", 1<<17)}, []string{"mail.smtp.password_file"}},
		{"a folder for a password file", "mail: {smtp: {username: x, password_file: .}}", nil, []string{"mail.smtp.password_file"}},
		{"an empty database file", "database_file: db", map[string]string{"db": "\n"}, []string{"database_file"}},
		{"a database twice", "database: x\ndatabase_file: db", map[string]string{"db": "y"}, []string{"database_file"}},
		{"a password in the site", "mail: {smtp: {username: x, password_file: public/pw}}", nil, []string{"mail.smtp.password_file"}},
		{"a header twice", "mail: {headers: {X-A: 1, x-a: 2}}", nil, []string{"mail.headers.x-a"}},
		{"both ends of retry", "delivery: {retry: {first: 100h, max: 99h, give_up: 98h}}", nil, []string{"delivery.retry.first", "delivery.retry.max"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files := map[string]string{"config.yaml": site + test.text}
			maps.Copy(files, test.files)
			_, err := config.Load(write(t, files), variables("EMPTY", ""))
			if diff := cmp.Diff(test.want, faults(err)); diff != "" {
				t.Errorf("%v\n(-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestMissingFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	_, err := config.Load(path, os.LookupEnv)
	if !errors.Is(err, config.ErrInvalid) || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path+": there is no such file; run threadmill init") {
		t.Errorf("no config: %v", err)
	}
	if _, err = config.Load(t.TempDir(), os.LookupEnv); !errors.Is(err, config.ErrInvalid) {
		t.Errorf("a folder: %v", err)
	}
	dir := filepath.Dir(write(t, map[string]string{"config.yaml": site}))
	if err := os.Mkdir(filepath.Join(dir, ".env"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err = config.Load(filepath.Join(dir, "config.yaml"), nil); !errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), ".env: read") {
		t.Errorf("a folder named .env: %v", err)
	}
}

func TestDotenvErrorKeepsSecrets(t *testing.T) {
	got := loadError(t, map[string]string{"config.yaml": site, ".env": "A=1\nSMTP PASSWORD: hunter2\nB='hunter3\n"})
	if want := ".env: cannot be read; write a line NAME='value' for each variable"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
}

// checkError checks that an error of Load is fit to be shown.
func checkError(t *testing.T, err error) {
	t.Helper()
	invalid, ok := errors.AsType[*config.InvalidError](err)
	if !ok || len(invalid.Problems) == 0 || !errors.Is(err, config.ErrInvalid) {
		t.Fatalf("Load: %#v", err)
	}
	for _, p := range invalid.Problems {
		if line := p.String(); strings.ContainsAny(line, "\n\r\t\x00\x1b") {
			t.Fatalf("problem of more than one clean line: %q", line)
		}
	}
}
