package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"threadmill/internal/config"
	"threadmill/internal/mail"
)

// TestKeysAgain replaces the file of a key under a daemon: a damaged one
// changes nothing, a whole one signs from then on.
func TestKeysAgain(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, text []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	newKey := func() []byte {
		t.Helper()
		text, err := mail.GenerateEd25519()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	write("config.yaml", []byte("publication: {url: https://example.com}\n"+
		"mail: {from: jo@example.com, transport: folder, dkim: [{domain: example.com, selector: a, key: a.pem}]}\n"))
	write("a.pem", newKey())
	cfg, err := config.Load(filepath.Join(dir, "config.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &publication{Config: cfg}
	if err := p.ReadyToSend(); err != nil {
		t.Fatal(err)
	}
	record := func() string {
		_, value := p.signer.Keys()[0].Record()
		return value
	}
	first := record()
	write("a.pem", []byte("damaged"))
	if err := p.readKeys(); err == nil || !strings.Contains(err.Error(), "a.pem: it is no private key") || record() != first {
		t.Errorf("with a damaged file: %v, record %s, want %s", err, record(), first)
	}
	write("a.pem", newKey())
	if err := p.readKeys(); err != nil || record() == first {
		t.Errorf("with a new file: %v, and the record is the same: %v", err, record() == first)
	}
}
