package deliver

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"testing"

	"github.com/emersion/go-msgauth/dkim"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

// TestSigned signs ahead, while the marks are written: each message goes with
// its own signature.
func TestSigned(t *testing.T) {
	key := mail.Key{Domain: "example.org", Selector: "a", Signer: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
	signer, err := mail.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	onEach(t, func(t *testing.T, on ground) {
		sc := newScene(t, on, 40, &relay{})
		dir := t.TempDir()
		o := sc.options()
		o.Connections = 4
		o.Transport = mail.Signed(mail.NewFolder(dir), signer)
		sc.drain(t, o)
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 40, Sent: 40})
		files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
		if err != nil || len(files) != 40 {
			t.Fatalf("%d files: %v", len(files), err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			list, err := dkim.VerifyWithOptions(bytes.NewReader(data), &dkim.VerifyOptions{LookupTXT: func(string) ([]string, error) {
				_, value := key.Record()
				return []string{value}, nil
			}})
			if err != nil || len(list) != 1 || list[0].Err != nil {
				t.Errorf("%v, %d signatures\n%s", err, len(list), data)
			}
		}
	})
}
