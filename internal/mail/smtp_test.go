package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var message1 = Message{From: "ada@example.org", To: "bo@example.com", Data: []byte("Subject: x\r\n\r\nHello\r\n")}

func TestTLSAndLogin(t *testing.T) {
	for _, mode := range []string{TLSMandatory, TLSOpportunistic, TLSImplicit, TLSNone} {
		t.Run(mode, func(t *testing.T) {
			r := startRelay(t, mode)
			r.options.Username, r.options.Password = username, password
			c := dial(t, NewSMTP(r.options))
			if err := Deliver(t.Context(), c, message1); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]Message{message1}, r.received()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// refusedDial dials and returns the error, which never holds the password.
func refusedDial(t *testing.T, o SMTPOptions) error {
	t.Helper()
	_, err := NewSMTP(o).Dial(t.Context())
	if err == nil {
		t.Fatal("the dial succeeded")
	}
	if strings.Contains(err.Error(), password) {
		t.Errorf("the error holds the password: %v", err)
	}
	return err
}

func TestWrongPassword(t *testing.T) {
	r := startRelay(t, TLSMandatory)
	r.options.Username, r.options.Password = username, "wrong"
	err := refusedDial(t, r.options)
	if got, ok := errors.AsType[*Refusal](err); !ok || got.Stage != StageAuth || got.Code/100 != 5 || strings.Contains(err.Error(), "wrong") {
		t.Errorf("err = %#v", err)
	}
}

func TestRelayThatRepeatsTheLogin(t *testing.T) {
	for _, secret := range []string{password, base64.StdEncoding.EncodeToString([]byte("\x00" + username + "\x00" + password))} {
		o := script{"EHLO": "250-hi\r\n250 AUTH PLAIN", "AUTH": "500 what is " + secret + "?"}.start(t, nil)
		o.Username, o.Password = username, password
		err := refusedDial(t, o)
		if got, ok := errors.AsType[*Refusal](err); !ok || got.Text != "what is [redacted]?" {
			t.Errorf("err = %v", err)
		}
		garbled := script{"EHLO": "250-hi\r\n250 AUTH PLAIN", "AUTH": "?? " + secret}.start(t, nil)
		garbled.Username, garbled.Password = username, password
		if err := refusedDial(t, garbled); strings.Contains(err.Error(), secret) {
			t.Errorf("err = %v", err)
		}
	}
}

func TestDialFaults(t *testing.T) {
	trusted := startRelay(t, TLSMandatory)
	untrusted := trusted.options
	untrusted.TLSConfig = nil
	foreign := trusted.options
	foreign.TLSConfig = trusted.options.TLSConfig.Clone()
	foreign.TLSConfig.ServerName = "mail.example.net"
	implicit := startRelay(t, TLSNone).options
	implicit.TLS = TLSImplicit
	closed := implicit
	closed.Port = closedPort(t)
	noTLS := script{}.start(t, nil)
	noTLS.TLS = TLSMandatory
	noLogin := script{}.start(t, nil)
	noLogin.Username, noLogin.Password = username, password
	strange := script{"EHLO": "250-hi\r\n250 AUTH GSSAPI"}.start(t, nil)
	strange.Username, strange.Password = username, password
	garbage := script{"": "* OK IMAP4 ready"}.start(t, nil)
	silent := script{"": hang}.start(t, func() {})
	silent.Timeout = 20 * time.Millisecond
	cutEarly := script{"EHLO": cutOff}.start(t, nil)

	for want, tt := range map[string]struct {
		o     SMTPOptions
		stage Stage
	}{
		"nothing listens at 127.0.0.1:":                {closed, StageConnect},
		"the certificate of the relay 127.0.0.1:":      {untrusted, StageTLS},
		"not mail.example.net":                         {foreign, StageTLS},
		"does not speak TLS at once":                   {implicit, StageTLS},
		"the relay offers no STARTTLS":                 {noTLS, StageTLS},
		"the relay offers no login; leave":             {noLogin, StageAuth},
		"no login that can be used (it offers GSSAPI)": {strange, StageAuth},
		"fault at connect: short response":             {garbage, StageConnect},
		"no answer at connect in time":                 {silent, StageConnect},
		"fault at connect: unexpected EOF":             {cutEarly, StageConnect},
	} {
		err := refusedDial(t, tt.o)
		if f, ok := errors.AsType[*Fault](err); !ok || f.Stage != tt.stage || f.InDoubt() || !strings.Contains(err.Error(), want) {
			t.Errorf("err = %v, want a fault at %s with %q", err, tt.stage, want)
		}
	}
}

func closedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestAdvice(t *testing.T) {
	s := NewSMTP(SMTPOptions{Host: "mail.example.net"})
	err := s.fault(t.Context(), StageConnect, &net.DNSError{Err: "no such host", Name: "mail.example.net", IsNotFound: true})
	if !strings.Contains(err.Error(), "there is no host mail.example.net; check mail.smtp.host") {
		t.Errorf("err = %v", err)
	}
}

func TestPasswordStaysOffTheOpenNet(t *testing.T) {
	for _, tt := range []struct {
		host, mode string
		clear      bool
	}{
		{"127.0.0.1", TLSOpportunistic, true},
		{"localhost", TLSOpportunistic, true},
		{"mail.example.net", TLSOpportunistic, false},
		{"mail.example.net", TLSNone, true},
	} {
		// The script stands for the far host: only the name decides.
		o := script{"EHLO": "250-hi\r\n250 AUTH PLAIN", "AUTH": "235 welcome"}.start(t, nil)
		o.Username, o.Password, o.TLS = username, password, tt.mode
		s := NewSMTP(o)
		s.o.Host = tt.host
		raw, err := net.Dial("tcp", NewSMTP(o).String())
		if err != nil {
			t.Fatal(err)
		}
		stage, err := s.greet(t.Context(), &smtpConn{o: s.o, wire: &wire{Conn: raw}})
		if _ = raw.Close(); (err == nil) != tt.clear || stage != StageAuth {
			t.Errorf("%s with %s: %v", tt.host, tt.mode, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		script script
		want   Refusal
		usable bool
	}{
		{script{"MAIL": "451 4.3.0 try later"}, Refusal{StageMail, 451, "4.3.0", "try later"}, true},
		{script{"MAIL": "530 5.7.0 log in first"}, Refusal{StageMail, 530, "5.7.0", "log in first"}, true},
		{script{"RCPT": "550-5.1.1 no\r\n550 5.1.1 user"}, Refusal{StageRcpt, 550, "5.1.1", "no user"}, true},
		{script{"DATA": "454 4.7.0 throttled"}, Refusal{StageData, 454, "4.7.0", "throttled"}, true},
		{script{".": "552 too big"}, Refusal{StageFinal, 552, "", "too big"}, true},
		{script{".": "451 4.7.1 greylisted"}, Refusal{StageFinal, 451, "4.7.1", "greylisted"}, true},
		{script{"MAIL": "421 4.4.2 bye"}, Refusal{StageMail, 421, "4.4.2", "bye"}, false},
		{script{"RCPT": "421 bye"}, Refusal{StageRcpt, 421, "", "bye"}, false},
		{script{"DATA": "421 bye"}, Refusal{StageData, 421, "", "bye"}, false},
		{script{".": "421 bye"}, Refusal{StageFinal, 421, "", "bye"}, false},
		{script{"RCPT": "550 no", "RSET": "503 what?"}, Refusal{StageRcpt, 550, "", "no"}, false},
		{script{"RCPT": "550 no", "RSET": cutOff}, Refusal{StageRcpt, 550, "", "no"}, false},
	}
	for _, tt := range tests {
		c := dial(t, NewSMTP(tt.script.start(t, nil)))
		err := Deliver(t.Context(), c, message1)
		got, ok := errors.AsType[*Refusal](err)
		if !ok {
			t.Errorf("%v: err = %v, want a refusal", tt.script, err)
			continue
		}
		if diff := cmp.Diff(tt.want, *got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.script, diff)
		}
		if c.Usable() != tt.usable {
			t.Errorf("%v: usable = %v", tt.script, c.Usable())
		}
	}
	for greeting, stage := range map[string]Stage{"554 5.7.1 go away": StageConnect, "421 too busy": StageConnect} {
		err := refusedDial(t, script{"": greeting}.start(t, nil))
		if got, ok := errors.AsType[*Refusal](err); !ok || got.Stage != stage {
			t.Errorf("greeting %q: err = %v", greeting, err)
		}
	}
}

func TestConnectionGoesOnAfterARefusal(t *testing.T) {
	r := startRelay(t, TLSNone)
	c := dial(t, NewSMTP(r.options))
	for _, to := range []string{"nobody@example.com", "bo@example.com", "nobody@example.com", "cy@example.com"} {
		m := message1
		m.To = to
		if err := Deliver(t.Context(), c, m); (err != nil) != strings.HasPrefix(to, "nobody") {
			t.Errorf("%s: %v", to, err)
		}
	}
	if got := r.received(); len(got) != 2 || got[1].To != "cy@example.com" || r.connections() != 1 {
		t.Errorf("received %+v over %d connections", got, r.connections())
	}
}

func TestSendFaults(t *testing.T) {
	tests := []struct {
		script  script
		stage   Stage
		inDoubt bool
	}{
		{script{"MAIL": cutOff}, StageMail, false},
		{script{"RCPT": cutOff}, StageRcpt, false},
		{script{"DATA": cutOff}, StageData, false},
		{script{".": cutOff}, StageFinal, true},
		{script{"MAIL": hang}, StageMail, false},
		{script{"DATA": hang}, StageData, false},
		{script{".": hang}, StageFinal, true},
		{script{"RCPT": "354 go on"}, StageRcpt, false},
		{script{"DATA": "250 fine"}, StageData, false},
		{script{".": "354 go on"}, StageFinal, true},
		{script{".": "what?"}, StageFinal, true},
		{script{"RCPT": flood}, StageRcpt, false},
	}
	for _, tt := range tests {
		o := tt.script.start(t, func() {})
		if tt.script["MAIL"] == hang || tt.script["DATA"] == hang {
			o.Timeout = 30 * time.Millisecond
		}
		if tt.script["."] == hang {
			o.FinalTimeout = 30 * time.Millisecond
		}
		c := dial(t, NewSMTP(o))
		err := Deliver(t.Context(), c, message1)
		f, ok := errors.AsType[*Fault](err)
		if !ok || f.Stage != tt.stage || f.InDoubt() != tt.inDoubt {
			t.Errorf("%v: err = %v, want a fault at %s", tt.script, err, tt.stage)
		}
		if c.Usable() {
			t.Errorf("%v: the connection is still usable", tt.script)
		}
		if err := Deliver(t.Context(), c, message1); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v: a second message: %v", tt.script, err)
		}
	}
}

func TestSendTimeoutSaysSo(t *testing.T) {
	o := script{".": hang}.start(t, func() {})
	o.FinalTimeout = 20 * time.Millisecond
	err := Deliver(t.Context(), dial(t, NewSMTP(o)), message1)
	if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.HasPrefix(err.Error(), "no answer at final in time") {
		t.Errorf("err = %v", err)
	}
}

func TestSendCutByTheContext(t *testing.T) {
	large := message1
	large.Data = bytes.Repeat([]byte("Line after line that nobody reads.\r\n"), 1<<19) // more than the sockets hold
	for verb, tt := range map[string]struct {
		m       Message
		inDoubt bool
	}{
		"RCPT":  {message1, false},
		".":     {message1, true},
		"large": {large, false},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		s := script{verb: hang}
		if verb == "large" {
			s = script{"DATA": "354 go on\r\n" + hang}
		}
		c := dial(t, NewSMTP(s.start(t, cancel)))
		err := Deliver(ctx, c, tt.m)
		cancel()
		f, ok := errors.AsType[*Fault](err)
		if !ok || f.InDoubt() != tt.inDoubt || !errors.Is(err, context.Canceled) || c.Usable() {
			t.Errorf("%s: err = %v, usable = %v", verb, err, c.Usable())
		}
	}
}

func TestDialCutByTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := NewSMTP(script{"": hang}.start(t, cancel)).Dial(ctx)
	if f, ok := errors.AsType[*Fault](err); !ok || !errors.Is(f, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

func TestMessagesPerConnection(t *testing.T) {
	r := startRelay(t, TLSNone)
	r.options.MessagesPerConnection = 2
	c := dial(t, NewSMTP(r.options))
	for want := range 2 {
		if !c.Usable() {
			t.Fatalf("not usable after %d messages", want)
		}
		if err := Deliver(t.Context(), c, message1); err != nil {
			t.Fatal(err)
		}
	}
	if c.Usable() {
		t.Error("usable after its last message")
	}
}

func TestEnvelopeCannotBreakTheLine(t *testing.T) {
	r := startRelay(t, TLSNone)
	c := dial(t, NewSMTP(r.options))
	for stage, m := range map[Stage]Message{
		StageRcpt: {From: "a@example.org", To: "b@example.org>\r\nRCPT TO:<c@example.org"},
		StageMail: {From: "a b@example.org", To: "b@example.org"},
	} {
		err := Deliver(t.Context(), c, m)
		if got, ok := errors.AsType[*Refusal](err); !ok || got.Stage != stage || got.Temporary() {
			t.Errorf("%+v: %v", m, err)
		}
	}
	if err := Deliver(t.Context(), c, message1); err != nil || len(r.received()) != 1 {
		t.Errorf("the next message: %v", err)
	}
}

func TestContentWithoutItsLastLineEnd(t *testing.T) {
	r := startRelay(t, TLSNone)
	c := dial(t, NewSMTP(r.options))
	m := message1
	m.Data = []byte("Subject: x\r\n\r\nno end")
	if err := Deliver(t.Context(), c, m); err != nil {
		t.Fatal(err)
	}
	if got := r.received(); len(got) != 1 || string(got[0].Data) != string(m.Data)+"\r\n" {
		t.Errorf("received %q", got)
	}
}

func TestPortDefaults(t *testing.T) {
	for mode, want := range map[string]string{"": "relay:587", TLSNone: "relay:587", TLSImplicit: "relay:465"} {
		if got := NewSMTP(SMTPOptions{Host: "relay", TLS: mode, TLSConfig: &tls.Config{}}).String(); got != want {
			t.Errorf("%q: %s, want %s", mode, got, want)
		}
	}
}
