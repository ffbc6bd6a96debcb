package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const (
	poolerPort   = "6432" // names its socket
	poolerConfig = `[databases]
* = host=%s user=postgres
[pgbouncer]
listen_port = ` + poolerPort + `
unix_socket_dir = %s
auth_type = any
pool_mode = %s
default_pool_size = 20
`
	runPooler = `pgbouncer -q "$1/ini" >"$1/log" 2>&1 & read -r _; kill -KILL $!; wait`
)

// Pooler starts a PgBouncer in the given pool mode before the database at an
// address, until the test ends, and returns the address by way of it. Where
// PgBouncer or the test's own server is missing the test is skipped.
func Pooler(t testing.TB, address, mode string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	server := u.Query().Get("host")
	if _, err := os.Stat("/usr/sbin/pgbouncer"); err != nil || server == "" {
		t.Skip("PgBouncer is missing; on Debian: apt-get install pgbouncer")
	}
	dir, err := os.MkdirTemp("", "threadmill-pool-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.WriteFile(filepath.Join(dir, "ini"), fmt.Appendf(nil, poolerConfig, server, dir, mode), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.Background(), "/bin/sh", "-c", runPooler, "sh", dir)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/bin"}
	if err := serve(cmd, dir); err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	q := url.Values{"host": {dir}, "port": {poolerPort}}
	u.RawQuery = q.Encode()
	return u.String()
}
