package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/config"
)

const unitFolder = "../../packaging/"

// unit reads a unit without its comments.
func unit(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(unitFolder + name)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(string(text), "")
}

// The unit gives a stop the time that it may take: messages under way, the
// last writes of the journal, and a database that others are writing.
func TestUnitLeavesTimeToStop(t *testing.T) {
	t.Parallel()
	_, rest, _ := strings.Cut(unit(t, "threadmill.service"), "\nTimeoutStopSec=")
	text, _, _ := strings.Cut(rest, "\n")
	seconds, err := strconv.Atoi(text)
	if want := config.Default().Delivery.StopTimeout + 30*time.Second; err != nil || time.Duration(seconds)*time.Second < want {
		t.Errorf("TimeoutStopSec is %q, want at least %v", text, want)
	}
}

// The unit for one publication and that for several differ in names alone.
func TestUnitsAgree(t *testing.T) {
	t.Parallel()
	one := strings.NewReplacer("publisher\n", "publisher: %i\n", "%S/threadmill", "%S/threadmill/%i", "StateDirectory=threadmill",
		"StateDirectory=threadmill/%i", "LoadCredential=threadmill.", "LoadCredential=threadmill-%i.").Replace(unit(t, "threadmill.service"))
	if diff := cmp.Diff(one, unit(t, "threadmill@.service")); diff != "" {
		t.Errorf("threadmill@.service (-want +got):\n%s", diff)
	}
}

var exposure = regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)

// systemd takes the units and finds little that they could do to the machine.
func TestUnitsBySystemd(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is missing; on Debian: apt-get install systemd")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for from, name := range map[string]string{"threadmill.service": "threadmill.service", "threadmill@.service": "threadmill@letters.service"} {
		text := strings.Replace(unit(t, from), "/usr/bin/threadmill", program, 1) // which need not be installed
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, name)
		if out, err := exec.Command("systemd-analyze", "verify", "--man=no", file).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("systemd-analyze verify %s: %v\n%s", name, err, out)
		}
		out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", file).CombinedOutput()
		found := exposure.FindSubmatch(out)
		if err != nil || found == nil {
			t.Fatalf("systemd-analyze security %s: %v\n%s", name, err, out)
		}
		if level, err := strconv.ParseFloat(string(found[1]), 64); err != nil || level > 2.0 {
			t.Errorf("%s is exposed at %s, want at most 2.0", name, found[1])
		}
	}
}
