package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"threadmill/internal/config"
)

// nested is the YAML of one dotted key beside the address of the site.
func nested(key, value string) string {
	var b strings.Builder
	names := strings.Split(key, ".")
	if names[0] != "publication" {
		b.WriteString(site)
	}
	for i, name := range names {
		fmt.Fprintf(&b, "%s%s:", strings.Repeat("  ", i), name)
		switch {
		case i == len(names)-1:
			b.WriteString(" " + value + "\n")
		case i == 0 && name == "publication" && key != "publication.url":
			b.WriteString("\n  url: https://example.com\n")
		default:
			b.WriteString("\n")
		}
	}
	return b.String()
}

// TestValues reads one value each and compares how it is written again.
func TestValues(t *testing.T) {
	tests := []struct{ key, value, want string }{
		{"publication.title", "2024", "2024"},
		{"publication.title", "0x1F # a comment", "0x1F"},
		{"publication.title", "no", "no"},
		{"publication.title", "a  b", "a b"},
		{"publication.title", "a: b", ""}, // an error of YAML
		{"publication.title", `"a: b"`, `"a: b"`},
		{"publication.title", `"caf\u00e9 \U0001F9F5"`, `"café 🧵"`},
		{"publication.title", "糸車", `"糸車"`},
		{"publication.title", "'null'", `"null"`},
		{"publication.title", `"$5 ${NAME} $NAME"`, `"$5 Jo $NAME"`},
		{"publication.title", `"$${NAME}${NAME}"`, `"$${NAME}Jo"`},
		{"publication.title", `"$$${NAME}"`, `"$$${NAME}"`},
		{"publication.title", "${ODD}", `"$${not} again"`},
		{"publication.title", "${FILE}", "beside"},
		{"publication.title", "${BOTH}", "environment"},
		{"publication.url", "http://localhost:8080//", "http://localhost:8080"},
		{"publication.url", "https://example.com/a/b/", "https://example.com/a/b"},
		{"publication.url", "https://例え.example", `"https://例え.example"`},
		{"publication.url", "https://[::1]:8080", `"https://[::1]:8080"`},
		{"publication.language", "zh-Hant-TW", "zh-Hant-TW"},
		{"publication.address", "none", "none"},
		{"publication.address", "|\n      1 Mill Lane\n      Thread", "1 Mill Lane Thread"},
		{"publication.accent", "'#ABC'", `"#aabbcc"`},
		{"publication.accent", "'#B4532A'", `"#b4532a"`},
		{"publication.author.email", "jo@例え.example", `"jo@例え.example"`},
		{"threads", "/srv/threads", "/srv/threads"},
		{"threads", "../threads", `"../threads"`},
		{"schedule.cron", `"@every 1s"`, `"@every 1s"`},
		{"schedule.timezone", "Etc/GMT+5", "Etc/GMT+5"},
		{"schedule.catch_up", "90m", "90m"},
		{"schedule.catch_up", "skip", "skip"},
		{"audience.to", "[a, '!b', a]", `"a !b"`},
		{"audience.to", "[a, '!b c']", ""},
		{"audience.to", "a", "a"},
		{"audience.form_tags", "[a, b]", "a b"},
		{"audience.form_tags", "[a, '!b']", ""},
		{"audience.to", "[a, '!']", ""},
		{"audience.to", "!a", ""}, // a tag of YAML
		{"audience.welcome", `""`, "none"},
		{"audience.welcome", "latest", "latest"},
		{"audience.welcome", "two words", ""},
		{"privacy.keep_deliveries", "24mo", "24mo"},
		{"privacy.keep_deliveries", "720h", "720h"},
		{"privacy.keep_deliveries", `""`, `""`},
		{"privacy.keep_deliveries", "719h", ""},
		{"privacy.keep_deliveries", "101y", ""},
		{"privacy.keep_deliveries", "2 years", ""},
		{"privacy.keep_deliveries", "0mo", ""},
		{"mail.from", `"\"Smith, Jo\" <jo@example.com>"`, `"\"Smith, Jo\" <jo@example.com>"`},
		{"mail.reply_to", `""`, `""`},
		{"mail.smtp.host", "::1", `"::1"`},
		{"mail.smtp.host", "192.0.2.1", "192.0.2.1"},
		{"mail.smtp.port", "'025'", "25"},
		{"mail.smtp.messages_per_connection", "0", "0"},
		{"mail.smtp.timeout", "90s", "1m30s"},
		{"mail.smtp.timeout", "1h0m1s", "1h0m1s"},
		{"mail.smtp.timeout", "1.5s", "1.5s"},
		{"mail.rate", "14", "14"},
		{"mail.rate", "1e2", "100"},
		{"mail.rate", ".5", "0.5"},
		{"mail.headers.X_a-1", "true", "true"},
		{"delivery.stop_timeout", "10m", "10m"},
		{"audience.confirm_within", "30m", ""},
		{"audience.confirm_within", "721h", ""},
		{"audience.reminder", "0s", "0s"},
		{"audience.reminder", "1m", ""},
		{"audience.reminder", "48h", "48h"},
		{"audience.limits.per_address", "11", ""},
		{"feeds.max_bytes", "2mb", "2 MB"},
		{"feeds.max_bytes", "500 KB", "500 KB"},
		{"feeds.max_bytes", "65536", "65536"},
		{"feeds.max_bytes", "1 GB", ""},
		{"feeds.max_bytes", "9 KB", ""},
		{"feeds.max_bytes", "-1 MB", ""},
		{"feeds.max_bytes", "9223372036854775807 MB", ""},
		{"feeds.hub", "https://hub.example/", "https://hub.example/"},
		{"feeds.hub", "[https://hub.example/, https://b.example, https://hub.example/]", "https://hub.example/ https://b.example"},
		{"feeds.hub", "[]", `""`},
		{"feeds.hub", "hub.example", ""},
		{"feeds.hub", "[[https://hub.example/]]", ""},
		{"feeds.items", "[1]", ""},
		{"web.listen", ":8080", `":8080"`},
		{"web.listen", "'[::1]:0'", `"[::1]:0"`},
		{"web.listen", "OFF", ""},
		{"web.listen", "off", `""`},
		{"web.listen", `""`, `""`},
	}
	for _, test := range tests {
		path := write(t, map[string]string{
			"config.yaml": nested(test.key, test.value),
			".env":        "FILE=beside\nBOTH=beside\n",
		})
		c, err := config.Load(path, variables("NAME", "Jo", "ODD", "${not} again", "BOTH", "environment"))
		if test.want == "" {
			checkError(t, err)
			continue
		}
		if err != nil {
			t.Errorf("%s: %s: %v", test.key, test.value, err)
			continue
		}
		name := test.key[strings.LastIndexByte(test.key, '.')+1:]
		section := "\n" + c.Redacted()
		if i := strings.Index(section, "\n"+strings.Split(test.key, ".")[0]+":"); i >= 0 {
			section = section[i:]
		}
		if want := " " + name + ": " + test.want + "\n"; !strings.Contains(strings.ReplaceAll(section, "\n", "\n "), want) {
			t.Errorf("%s: %s: lacks %q in%s", test.key, test.value, want, section)
		}
	}
}

func TestSuggestions(t *testing.T) {
	tests := []struct{ key, want string }{
		{"publicaton", `did you mean "publication"?`},
		{"thread", `did you mean "threads"?`},
		{"mail.header", `did you mean "headers"?`},
		{"mail.smtp.pasword", `did you mean "password"?`},
		{"mail.smtp.Port", `did you mean "port"?`},
		{"mail.port", `did you mean "mail.smtp.port"?`},
		{"title", `did you mean "publication.title"?`},
		{"publication.author.mail", `did you mean "email"?`},
		{"delivery.retry.x", "the keys here are first, max, give_up"},
		{"mail.quota", "the keys here are from, reply_to, transport, folder, provider, region, smtp, rate, daily, bounce, webhooks, unsubscribe, dkim, images, greeting, headers"},
		{"feeds." + strings.Repeat("x", 69), "the keys here are items"},
		{"feeds." + strings.Repeat("é", 80), "unknown key; the keys here are items"},
	}
	for _, test := range tests {
		got := loadError(t, map[string]string{"config.yaml": nested(test.key, "1")})
		if !strings.Contains(got, test.want) || len(got) > 400 {
			t.Errorf("%s: %s\nlacks %s", test.key, got, test.want)
		}
	}
}

func TestHeadersOfTheProgramAreRefused(t *testing.T) {
	for _, name := range []string{
		"From", "TO", "Cc", "bcc", "Sender", "Reply-To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "MIME-Version",
		"Content-Type", "Content-Transfer-Encoding", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "Return-Path", "Received",
		"DKIM-Signature", "ARC-Seal", "Resent-From", "Auto-Submitted", "Feedback-ID", "Authentication-Results",
	} {
		if got := loadError(t, map[string]string{"config.yaml": nested("mail.headers."+name, "x")}); !strings.Contains(got, "set by the program") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// The config that init writes needs few keys; all others have defaults.
func Example() {
	dir, err := os.MkdirTemp("", "threadmill")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "config.yaml")
	text := `
publication:
  title: Letters
  url: https://example.com
schedule:
  cron: 0 9 * * MON
  timezone: Europe/London
mail:
  from: Jo Smith <jo@example.com>
  smtp:
    host: smtp.example.com
    username: jo
    password: ${SMTP_PASSWORD}
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		panic(err)
	}
	c, err := config.Load(path, func(string) (string, bool) { return "hunter2", true })
	if err != nil {
		panic(err)
	}
	fmt.Println(c.Publication.Title, c.Schedule.Cron, c.Delivery.Retry.First)
	fmt.Println(c.Mail.SMTP.Password, len(c.Mail.SMTP.Password.Reveal()))
	// Output:
	// Letters 0 9 * * MON 5m0s
	// [redacted] 7
}

// TestSpanLength tells how a reader is told of a span.
func TestSpanLength(t *testing.T) {
	for span, want := range map[config.Span][2]int{"": {}, "24mo": {24, 0}, "2y": {24, 0}, "2160h": {0, 90}} {
		if months, days := span.Length(); months != want[0] || days != want[1] {
			t.Errorf("%q is %d months, %d days; want %v", span, months, days, want)
		}
	}
}
