package main

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"
)

// loginSession wants TLS and the relay's password before any mail.
type loginSession struct {
	*relaySession
	in bool
}

func (s *loginSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *loginSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		s.relay.mu.Lock()
		defer s.relay.mu.Unlock()
		if s.in = username == "news" && password == s.relay.password; !s.in {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (s *loginSession) Mail(from string, o *smtp.MailOptions) error {
	if !s.in {
		return smtp.ErrAuthRequired
	}
	return s.relaySession.Mail(from, o)
}

// expect has the relay take another password from now on.
func (r *relay) expect(password string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.password = password
}

// A password that the relay refuses at the slot: the command hears of it, the
// heartbeat stays silent and nothing is lost; once the relay takes it, the
// sending goes on by itself.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	const readers, password = 25, "right-p4ssword"
	var count atomic.Int64
	beats := make(chan struct{}, 10)
	web := httptest.NewTLSServer(nil) // for its certificate, which is valid for 127.0.0.1
	defer web.Close()
	beat := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		count.Add(1)
		beats <- struct{}{}
	}))
	defer beat.Close()
	r := startRelay(t, &relay{password: "another"}, &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12})
	p := newPlace(t, r, 1, readers, fmt.Sprintf(`schedule: {cron: "@every 1s"}
delivery: {probe: 1s}
operator: {email: op@example.com, command: "cat > news", heartbeat: "%s/"}`, beat.URL))
	p.write("roots.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})))
	p.env = []string{"SSL_CERT_FILE=" + filepath.Join(p.dir, "roots.pem")}
	p.write("config.yaml", strings.Replace(p.read("config.yaml"), "tls: none", "tls: mandatory, username: news, password: "+password, 1))
	events := p.listen()
	d := p.startDaemon()
	defer func() {
		d.stop()
		if strings.Contains(d.log.String(), password) {
			t.Error("the log tells the password")
		}
	}()
	e := events("held_by_fault")
	if e.Kind != "relay" || !strings.Contains(e.Text, "535") || strings.Contains(e.Text, password) {
		t.Errorf("event: %+v", e)
	}
	if out := p.look("status"); !strings.Contains(out, "(relay)") || strings.Contains(out, password) {
		t.Errorf("status:\n%s", out)
	}
	if n := count.Load(); n != 0 || len(r.accepted()) != 0 {
		t.Errorf("%d beats and %d messages while the password is refused", n, len(r.accepted()))
	}
	r.expect(password)
	<-beats
	got, want := map[string]int{}, map[string]int{}
	for _, c := range r.accepted() {
		got[c.to]++
	}
	delete(got, "op@example.com") // of the empty slots
	for i := range readers {
		want[fmt.Sprintf("reader%04d@example.org", i)] = 1
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
