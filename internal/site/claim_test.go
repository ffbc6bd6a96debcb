package site

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestClaim(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "public")
	claim, err := ClaimDir(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ClaimDir(t.Context(), dir); !errors.Is(err, ErrClaimed) {
		t.Errorf("a second writer: %v, want ErrClaimed", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("the claim left %v in the folder (%v)", entries, err)
	}
	if err := claim.Release(); err != nil {
		t.Fatal(err)
	}
	again, err := ClaimDir(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Release(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ClaimDir(t.Context(), file); err == nil {
		t.Error("claimed a file")
	}
}
