//go:build unix

package mail_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"threadmill/internal/mail"
)

// post is a Postfix and a Dovecot from the system's packages, on loopback with
// folders of their own: what a publication's relay and a reader's mailbox are.
type post struct {
	Dir                       string
	Submission, IMAP          int // ports
	Refusing, Deferring       int // of the next hops of two domains
	Postfix, Group, Mailboxes int // user, group, and owner of the mailboxes
	pool                      *x509.CertPool
}

// wait bounds all waits for other programs.
const wait = time.Minute

// startPost starts both; without them, or without root, which they need to
// change into their own users, the test is skipped.
func startPost(t *testing.T) *post {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("Postfix and Dovecot need root to start")
	}
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin")
	for _, program := range []string{"postfix", "dovecot", "smtp-sink", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%v; on Debian: apt-get install --no-install-recommends postfix dovecot-imapd curl", err)
		}
	}
	dir, err := os.MkdirTemp("", "post") // short, for sockets, and for all to enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &post{
		Dir: dir, Submission: freePort(t), IMAP: freePort(t), Refusing: freePort(t), Deferring: freePort(t),
		Postfix: id(t, "-u", "postfix"), Group: id(t, "-g", "postfix"), Mailboxes: 5000,
	}
	p.folders(t)
	p.certificate(t)
	p.full(t)
	p.fill(t, "etc/main.cf", mainCF)
	p.fill(t, "etc/master.cf", masterCF)
	p.fill(t, "dovecot.conf", dovecotConf)
	p.run(t, "smtp-sink", "-u", "postfix", "-f", "rcpt", "-B", "550 5.1.1 No such user", at(p.Refusing), "10")
	p.run(t, "smtp-sink", "-u", "postfix", "-r", "rcpt", "-b", "452 4.2.2 Mailbox full", at(p.Deferring), "10")
	p.run(t, "dovecot", "-F", "-c", filepath.Join(dir, "dovecot.conf"))
	p.run(t, "postfix", "-c", filepath.Join(dir, "etc"), "start-fg")
	for _, port := range []int{p.Submission, p.IMAP, p.Refusing, p.Deferring} {
		p.until(t, "port "+strconv.Itoa(port), func() bool {
			conn, err := net.Dial("tcp", at(port))
			if err == nil {
				_ = conn.Close()
			}
			return err == nil
		})
	}
	return p
}

const mainCF = `compatibility_level = 3.6
queue_directory = {{.Dir}}/spool
data_directory = {{.Dir}}/data
maillog_file = {{.Dir}}/mail.log
maillog_file_prefixes = {{.Dir}}
daemon_directory = /usr/lib/postfix/sbin
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.example.com
mydestination =
mynetworks =
alias_maps =
alias_database =
recipient_delimiter = +
virtual_mailbox_domains = example.com
virtual_mailbox_base = {{.Dir}}/mail
virtual_mailbox_maps = inline:{reader@example.com=reader/, news@example.com=news/, bounce@example.com=bounce/, answers@example.com=answers/, full@example.com=full}
virtual_mailbox_limit = 51200
message_size_limit = 51200
mailbox_size_limit = 51200
virtual_uid_maps = static:{{.Mailboxes}}
virtual_gid_maps = static:{{.Mailboxes}}
transport_maps = inline:{refused.example=smtp:[127.0.0.1]:{{.Refusing}}, deferred.example=smtp:[127.0.0.1]:{{.Deferring}}}
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_auth_enable = yes
smtpd_tls_auth_only = yes
smtpd_tls_security_level = may
smtpd_tls_cert_file = {{.Dir}}/cert.pem
smtpd_tls_key_file = {{.Dir}}/key.pem
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtp_tls_security_level = none
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
delay_warning_time = 1s
maximal_queue_lifetime = 3s
bounce_queue_lifetime = 3s
`

const masterCF = `127.0.0.1:{{.Submission}} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`

const dovecotConf = `base_dir = {{.Dir}}/run
state_dir = {{.Dir}}/run
log_path = {{.Dir}}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
first_valid_uid = 1
mail_location = maildir:{{.Dir}}/mail/%n
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid={{.Mailboxes}} gid={{.Mailboxes}} home={{.Dir}}/mail/%n
}
service imap-login {
  inet_listener imap {
    port = {{.IMAP}}
  }
  inet_listener imaps {
    port = 0
  }
}
service auth {
  unix_listener {{.Dir}}/spool/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
`

func (p *post) folders(t *testing.T) {
	t.Helper()
	for name, owner := range map[string]int{"": 0, "etc": 0, "run": 0, "spool": 0, "spool/private": p.Postfix, "data": p.Postfix, "mail": p.Mailboxes} {
		path := filepath.Join(p.Dir, name)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
		group := 0
		if owner == p.Mailboxes {
			group = owner
		}
		if err := os.Chown(path, owner, group); err != nil {
			t.Fatal(err)
		}
	}
}

// full is a mailbox in a file that may not grow any more.
func (p *post) full(t *testing.T) {
	t.Helper()
	p.write(t, "mail/full", bytes.Repeat([]byte("\n"), 51_000))
	if err := os.Chown(filepath.Join(p.Dir, "mail/full"), p.Mailboxes, p.Mailboxes); err != nil {
		t.Fatal(err)
	}
}

// certificate makes the relay's own, good for 127.0.0.1.
func (p *post) certificate(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	p.pool = x509.NewCertPool()
	p.pool.AppendCertsFromPEM(cert)
	p.write(t, "cert.pem", cert)
	p.write(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

func (p *post) write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.Dir, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// fill writes a file of settings.
func (p *post) fill(t *testing.T, name, text string) {
	t.Helper()
	var b bytes.Buffer
	if err := template.Must(template.New(name).Parse(text)).Execute(&b, p); err != nil {
		t.Fatal(err)
	}
	p.write(t, name, b.Bytes())
	if err := os.Chmod(filepath.Join(p.Dir, name), 0o644); err != nil {
		t.Fatal(err)
	}
}

// run starts a program that ends with the test.
func (p *post) run(t *testing.T, name string, args ...string) {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.Dir, &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second // a child that is left must not hold the test
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if name == "postfix" { // its master has left the group
			_ = exec.Command("postfix", "-c", filepath.Join(p.Dir, "etc"), "stop").Run()
		}
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		gone := time.AfterFunc(wait, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		_ = cmd.Wait()
		gone.Stop()
		if t.Failed() {
			t.Logf("%s said: %s", name, &said)
		}
	})
}

// until asks again and again whether something is so.
func (p *post) until(t *testing.T, what string, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			for _, log := range []string{"mail.log", "dovecot.log"} {
				text, _ := os.ReadFile(filepath.Join(p.Dir, log))
				t.Logf("%s:\n%s", log, text)
			}
			t.Fatalf("%s: not within %s", what, wait)
		}
	}
}

// transport logs in with STARTTLS, as a publication does.
func (p *post) transport() mail.Transport {
	return mail.NewSMTP(mail.SMTPOptions{
		Host: "127.0.0.1", Port: p.Submission, Username: "news", Password: "secret",
		TLSConfig: &tls.Config{RootCAs: p.pool, MinVersion: tls.VersionTLS12}, LocalName: "example.com",
	})
}

// fetch reads message number n of a mailbox over IMAP, once it is there.
func (p *post) fetch(t *testing.T, mailbox string, n int) []byte {
	t.Helper()
	var raw []byte
	p.until(t, fmt.Sprintf("message %d of %s", n, mailbox), func() bool {
		var err error
		url := fmt.Sprintf("imap://127.0.0.1:%d/INBOX;UID=%d", p.IMAP, n)
		raw, err = exec.CommandContext(t.Context(), "curl", "-s", "--user", mailbox+":secret", "--url", url).Output()
		return err == nil && len(raw) > 0
	})
	return raw
}

func at(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// id is a number of a user of the system.
func id(t *testing.T, what, user string) int {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "id", what, user).Output()
	n, fault := strconv.Atoi(strings.TrimSpace(string(out)))
	if err := cmp.Or(err, fault); err != nil {
		t.Skipf("there is no user %s: %v", user, err)
	}
	return n
}
