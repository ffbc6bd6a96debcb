//go:build linux

package mail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSignaturesForOthers shows signed messages to verifiers that others wrote,
// with the keys in a DNS of their own: what was signed holds, and nothing that
// was changed does.
func TestSignaturesForOthers(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts some thirty processes")
	}
	rsa, ed := rsaKey(t), ed25519Key(t)
	resolve := serveKeys(t, rsa, ed)
	message := compose(t, fullLetter(), marks).Append(nil, recipient)
	for name, keys := range map[string][]Key{"RSA": {rsa}, "Ed25519": {ed}, "both": {rsa, ed}} {
		data := string(signed(t, newSigner(t, keys...), message))
		messages, names := []string{data}, []string{"as signed"}
		for _, c := range changes {
			messages, names = append(messages, c.with(data)), append(names, c.name)
		}
		for _, v := range verifiers {
			t.Run(filepath.Base(v.program)+"/"+name, func(t *testing.T) {
				if _, err := os.Stat(v.program); err != nil || v.probe != nil && exec.CommandContext(t.Context(), v.program, v.probe...).Run() != nil {
					t.Skipf("%s is missing; on Debian: apt-get install %s", v.what, v.debian)
				}
				for i, holds := range v.verdicts(t, resolve, messages, len(keys)) {
					if holds != (i == 0) {
						t.Errorf("%s: holds is %v\n%s", names[i], holds, messages[i])
					}
				}
			})
		}
	}
}

// resolving runs a program with input on its stdin, to which a server of the
// test is the only DNS.
type resolving func(t *testing.T, input, program string, args ...string) (string, error)

// verifiers tell of each message whether all of its so many signatures hold.
var verifiers = []struct {
	what, program, debian string
	probe                 []string
	verdicts              func(t *testing.T, resolve resolving, messages []string, signatures int) []bool
}{
	{what: "opendkim-testmsg", program: "/usr/sbin/opendkim-testmsg", debian: "opendkim-tools", verdicts: opendkim},
	{what: "dkimpy", program: "/usr/bin/python3", debian: "python3-dkim", probe: []string{"-c", "import dkim, nacl"}, verdicts: dkimpy},
}

func opendkim(t *testing.T, resolve resolving, messages []string, _ int) []bool {
	var all []bool
	for _, m := range messages {
		out, err := resolve(t, m, "/usr/sbin/opendkim-testmsg")
		if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != 70) { // EX_SOFTWARE: a bad signature
			t.Errorf("opendkim-testmsg: %v: %s", err, out)
		}
		all = append(all, err == nil)
	}
	return all
}

// dkimpy takes long to begin, so it gets all messages at once.
func dkimpy(t *testing.T, resolve resolving, messages []string, signatures int) []bool {
	const script = `
import sys, dkim
def holds(message):
    d = dkim.DKIM(message)
    try:
        return all([d.verify(idx=i) for i in range(int(sys.argv[1]))])
    except dkim.ValidationError:
        return False
for message in sys.stdin.buffer.read().split(b"\0"):
    print(holds(message))`
	out, err := resolve(t, strings.Join(messages, "\x00"), "/usr/bin/python3", "-c", script, strconv.Itoa(signatures))
	lines := strings.Fields(out)
	if err != nil || len(lines) != len(messages) {
		t.Fatalf("dkimpy: %v: %s", err, out)
	}
	var all []bool
	for _, l := range lines {
		all = append(all, l == "True")
	}
	return all
}

// serveKeys starts a dnsmasq that knows these keys alone, for the programs that
// the returned function runs: a mount of its own puts another file in the place
// of /etc/resolv.conf.
func serveKeys(t *testing.T, keys ...Key) resolving {
	t.Helper()
	dir := t.TempDir()
	address := nameserver(t)
	resolv := filepath.Join(dir, "resolv.conf")
	if err := os.WriteFile(resolv, []byte("nameserver "+address+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	const mounted = `mount --bind "$0" /etc/resolv.conf && exec "$@"`
	run := func(t *testing.T, input, program string, args ...string) (string, error) {
		c := exec.CommandContext(t.Context(), "unshare", append([]string{"--mount", "sh", "-c", mounted, resolv, program}, args...)...)
		c.Stdin = strings.NewReader(input)
		out, err := c.CombinedOutput()
		return string(out), err
	}
	if out, err := run(t, "", "true"); err != nil {
		t.Skipf("no mounts of its own for a process: %v: %s", err, out)
	}
	startDNS(t, dir, address, keys)
	name, _ := keys[0].Record()
	awaitName(t, address, name)
	return run
}

// startDNS starts a dnsmasq with the records of keys.
func startDNS(t *testing.T, dir, address string, keys []Key) {
	t.Helper()
	const dnsmasq = "/usr/sbin/dnsmasq"
	if _, err := os.Stat(dnsmasq); err != nil {
		t.Skip("dnsmasq is missing; on Debian: apt-get install dnsmasq-base")
	}
	var zone strings.Builder
	for _, k := range keys {
		name, value := k.Record()
		zone.WriteString("txt-record=" + name)
		for part := range slices.Chunk([]byte(value), 200) {
			zone.WriteString("," + string(part))
		}
		zone.WriteString("\n")
	}
	config := filepath.Join(dir, "dnsmasq.conf")
	if err := os.WriteFile(config, []byte(zone.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	server := exec.CommandContext(context.WithoutCancel(t.Context()), dnsmasq, "--keep-in-foreground", "--conf-file="+config, "--no-resolv", "--no-hosts",
		"--port=53", "--listen-address="+address, "--bind-interfaces", "--pid-file=", "--user=root", "--log-facility=-")
	server.Stdout, server.Stderr = &said, &said
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
}

// nameserver finds an address of this machine on whose port 53 nobody listens:
// resolv.conf knows no other port.
func nameserver(t *testing.T) string {
	t.Helper()
	var err error
	for i := 1; i < 255; i++ {
		address := fmt.Sprintf("127.%d.%d.53", 53+os.Getpid()%200, i)
		var l net.PacketConn
		if l, err = net.ListenPacket("udp", address+":53"); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Skip("no address for a DNS server, which needs root: ", err)
	return ""
}

// awaitName waits until a server answers for a name.
func awaitName(t *testing.T, address, name string) {
	t.Helper()
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address+":53")
	}}
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		_, err := r.LookupTXT(ctx, name)
		if err == nil {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("dnsmasq does not answer: %v", err)
		}
	}
}
