package config

import (
	"testing"

	"github.com/joho/godotenv"
)

// Each key is checked as Load does.
func TestCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key, text string
		good      bool
	}{
		{"schedule.timezone", "Europe/London", true},
		{"schedule.timezone", "Local", false},
		{"mail.from", "Jo <jo@example.com>", true},
		{"mail.from", "jo", false},
		{"publication.title", "${HOME}", false},
		{"mail.nothing", "x", false},
	} {
		if err := Check(c.key, c.text); (err == nil) != c.good {
			t.Errorf("%s %q: %v", c.key, c.text, err)
		}
	}
}

// Quotes of both kinds, also at the end, fit into a line.
func TestDotenvLine(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"it is":        "S='it is'\n",
		`it's $ecret`:  `S="it's \$ecret"` + "\n",
		`it's $ecret"`: `S=it's \$ecret"` + "\n",
		`a"'b $HOME`:   `S="a\"'b \$HOME"` + "\n",
		`' #"`:         "",
	} {
		line, err := DotenvLine("S", value)
		if line != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q %v, want %q", value, line, err, want)
		}
	}
}

// FuzzDotenvLine checks that a value comes back as it was written.
func FuzzDotenvLine(f *testing.F) {
	for _, s := range []string{"", "plain", `it's "${X}" \n`, `it's $X"`, "a#b ", "x\ny", "007"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		line, err := DotenvLine("SECRET", value)
		if err != nil {
			return
		}
		read, err := godotenv.Unmarshal("A=1\n" + line)
		if err != nil || len(read) != 2 || read["SECRET"] != value {
			t.Errorf("%q became %q: %v", value, read["SECRET"], err)
		}
	})
}
