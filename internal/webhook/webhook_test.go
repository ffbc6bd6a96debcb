package webhook

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/mail"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// readers are the providers by the begin of the names of their samples.
func readers() map[string]provider {
	return map[string]provider{"ses": &ses{}, "postmark": postmark{}, "mailgun": &mailgun{}, "sendgrid": sendGrid{}}
}

func samples(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	return files
}

func of(file string) provider {
	name, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".json"), "_")
	return readers()[name]
}

// What is read of the samples, which are after the documents of the providers.
func TestRead(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, file := range samples(t) {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		list, err := of(file).read(body)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		fmt.Fprintf(&b, "%s: %d\n", filepath.Base(file), len(list))
		for _, r := range list {
			d := r.Recipients[0]
			class := ""
			if d.Failed() {
				class = " " + string(d.Class())
			}
			fmt.Fprintf(&b, "\t%s%s %s %q %s: %q tokens %q links %q of %q\n", r.Kind, class, d.Address, d.Status, r.ID, d.Diagnostic, r.Tokens, r.Links, r.MessageIDs)
		}
	}
	const golden = "testdata/read.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Error(diff)
	}
}

func FuzzRead(f *testing.F) {
	for _, file := range samples(f) {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, p := range readers() {
			list, err := p.read(body)
			if err != nil && !errors.Is(err, errUnknown) {
				t.Errorf("%s: %v", name, err)
			}
			for _, r := range list {
				if len(r.Recipients) != 1 || len(r.Recipients[0].Diagnostic) > maxText+10 || strings.ContainsAny(r.Recipients[0].Address, "\r\n") {
					t.Errorf("%s: %+v", name, r)
				}
			}
		}
	})
}

// inbox is where reports are taken in; it is full at times.
type inbox struct {
	mu   sync.Mutex
	got  []string
	full bool
}

func (i *inbox) take(_ context.Context, r mail.Report, provider string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.full {
		return errors.New("full")
	}
	i.got = append(i.got, provider+" "+string(r.Kind)+" "+r.Recipients[0].Address)
	return nil
}

func serve(t *testing.T, o Options) (http.Handler, *inbox) {
	t.Helper()
	i := &inbox{}
	o.Take, o.Log = i.take, slog.New(slog.DiscardHandler)
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h, i
}

// ask posts a body and returns the status.
func ask(t *testing.T, h http.Handler, path, body string, change func(r *http.Request)) int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func want(t *testing.T, what string, got, code int) {
	t.Helper()
	if got != code {
		t.Errorf("%s: %d, want %d", what, got, code)
	}
}

func sample(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPostmark(t *testing.T) {
	t.Parallel()
	h, i := serve(t, Options{Postmark: "0123456789abcdef"})
	body := sample(t, "postmark_hard.json")
	login := func(r *http.Request) { r.SetBasicAuth("threadmill", "0123456789abcdef") }
	want(t, "without a password", ask(t, h, "/postmark", body, nil), http.StatusForbidden)
	want(t, "with another one", ask(t, h, "/postmark", body, func(r *http.Request) { r.SetBasicAuth("threadmill", "x") }), http.StatusForbidden)
	want(t, "not configured", ask(t, h, "/sendgrid", body, login), http.StatusNotFound)
	want(t, "unknown", ask(t, h, "/", body, login), http.StatusNotFound)
	want(t, "get", ask(t, h, "/postmark", body, func(r *http.Request) { r.Method = http.MethodGet }), http.StatusMethodNotAllowed)
	want(t, "no JSON", ask(t, h, "/postmark", "x", login), http.StatusBadRequest)
	want(t, "too large", ask(t, h, "/postmark", strings.Repeat("x", maxBody+1), login), http.StatusRequestEntityTooLarge)
	i.full = true
	want(t, "while the database is busy", ask(t, h, "/postmark", body, login), http.StatusServiceUnavailable)
	i.full = false
	want(t, "right", ask(t, h, "/postmark", body, login), http.StatusNoContent)
	want(t, "by a field", ask(t, h, "/postmark", body, func(r *http.Request) { r.Header.Set(secretField, "0123456789abcdef") }), http.StatusNoContent)
	if diff := cmp.Diff([]string{"postmark bounce jo@example.net", "postmark bounce jo@example.net"}, i.got); diff != "" {
		t.Error(diff)
	}
}

// signMailgun is a body with the signature of a key.
func signMailgun(t *testing.T, key, token string, at time.Time) string {
	t.Helper()
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(stamp + token))
	var body map[string]any
	if err := json.Unmarshal([]byte(sample(t, "mailgun_permanent.json")), &body); err != nil {
		t.Fatal(err)
	}
	body["signature"] = map[string]string{"timestamp": stamp, "token": token, "signature": hex.EncodeToString(mac.Sum(nil))}
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestMailgun(t *testing.T) {
	t.Parallel()
	h, i := serve(t, Options{Mailgun: "key"})
	now := time.Now()
	want(t, "unsigned", ask(t, h, "/mailgun", sample(t, "mailgun_permanent.json"), nil), http.StatusForbidden)
	want(t, "another key", ask(t, h, "/mailgun", signMailgun(t, "yek", "a", now), nil), http.StatusForbidden)
	want(t, "old", ask(t, h, "/mailgun", signMailgun(t, "key", "a", now.Add(-13*time.Hour)), nil), http.StatusForbidden)
	i.full = true
	want(t, "while the database is busy", ask(t, h, "/mailgun", signMailgun(t, "key", "a", now), nil), http.StatusServiceUnavailable)
	i.full = false
	want(t, "right", ask(t, h, "/mailgun", signMailgun(t, "key", "a", now), nil), http.StatusNoContent)
	want(t, "again", ask(t, h, "/mailgun", signMailgun(t, "key", "a", now), nil), http.StatusForbidden)
	want(t, "another one", ask(t, h, "/mailgun", signMailgun(t, "key", "b", now), nil), http.StatusNoContent)
	if len(i.got) != 2 {
		t.Error(i.got)
	}
}

func TestSendGrid(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	h, i := serve(t, Options{SendGrid: base64.StdEncoding.EncodeToString(der)})
	body := sample(t, "sendgrid.json")
	sign := func(at time.Time, signed string) func(r *http.Request) {
		return func(r *http.Request) {
			stamp := strconv.FormatInt(at.Unix(), 10)
			sum := sha256.Sum256([]byte(stamp + signed))
			signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
			if err != nil {
				t.Error(err)
			}
			r.Header.Set(sendGridTimestamp, stamp)
			r.Header.Set(sendGridSignature, base64.StdEncoding.EncodeToString(signature))
		}
	}
	want(t, "unsigned", ask(t, h, "/sendgrid", body, nil), http.StatusForbidden)
	want(t, "another body", ask(t, h, "/sendgrid", body, sign(time.Now(), body+" ")), http.StatusForbidden)
	want(t, "old", ask(t, h, "/sendgrid", body, sign(time.Now().Add(-49*time.Hour), body)), http.StatusForbidden)
	want(t, "right", ask(t, h, "/sendgrid", body, sign(time.Now(), body)), http.StatusNoContent)
	if len(i.got) != 7 {
		t.Errorf("%d reports: %q", len(i.got), i.got)
	}
	if _, err := New(Options{SendGrid: "x"}); err == nil {
		t.Error("a key that is none is taken")
	}
}

// sns signs as SNS does, and has its certificate at its address.
type sns struct {
	key    *rsa.PrivateKey
	client *http.Client
	mu     sync.Mutex
	asked  []string
}

const (
	topic   = "arn:aws:sns:eu-west-1:123456789012:bounces"
	snsName = "sns.eu-west-1.amazonaws.com"
)

func newSNS(t *testing.T) *sns {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{snsName}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s := &sns{key: key}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.URL.Path)
		s.mu.Unlock()
		if r.URL.Path == "/cert.pem" {
			_, _ = w.Write(cert)
		}
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	s.client = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
		},
	}}
	return s
}

func (s *sns) sign(t *testing.T, m snsMessage) string {
	t.Helper()
	hash, sum := crypto.SHA256, sha256.Sum256([]byte(m.text()))
	digest := sum[:]
	if m.SignatureVersion == "1" {
		hash = crypto.SHA1
		sum := sha1.Sum([]byte(m.text()))
		digest = sum[:]
	}
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, hash, digest)
	if err != nil {
		t.Fatal(err)
	}
	m.Signature = base64.StdEncoding.EncodeToString(signature)
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSES(t *testing.T) {
	t.Parallel()
	s := newSNS(t)
	h, i := serve(t, Options{SES: topic, Client: s.client})
	subject := "Amazon SES Email Event Notification"
	m := snsMessage{
		Type: snsNotification, MessageId: "1", TopicArn: topic, Message: sample(t, "ses_permanent.json"), Subject: &subject,
		Timestamp: "2026-12-07T09:00:05.000Z", SignatureVersion: "2", SigningCertURL: "https://" + snsName + "/cert.pem",
	}
	want(t, "right", ask(t, h, "/ses", s.sign(t, m), nil), http.StatusNoContent)
	m.SignatureVersion, m.Subject = "1", nil
	want(t, "version 1", ask(t, h, "/ses", s.sign(t, m), nil), http.StatusNoContent)
	plain := m
	plain.Message = "Successfully validated SNS topic for Amazon SES event publishing."
	want(t, "words", ask(t, h, "/ses", s.sign(t, plain), nil), http.StatusNoContent)
	for what, change := range map[string]func(m *snsMessage){
		"another topic":     func(m *snsMessage) { m.TopicArn += "2" },
		"another host":      func(m *snsMessage) { m.SigningCertURL = "https://example.com/cert.pem" },
		"a host like it":    func(m *snsMessage) { m.SigningCertURL = "https://sns.eu-west-1.amazonaws.com.example.com/cert.pem" },
		"a user":            func(m *snsMessage) { m.SigningCertURL = "https://sns.eu-west-1.amazonaws.com@example.com/cert.pem" },
		"http":              func(m *snsMessage) { m.SigningCertURL = "http://" + snsName + "/cert.pem" },
		"a port":            func(m *snsMessage) { m.SigningCertURL = "https://" + snsName + ":444/cert.pem" },
		"no certificate":    func(m *snsMessage) { m.SigningCertURL = "https://" + snsName + "/other.pem" },
		"a bucket":          func(m *snsMessage) { m.SigningCertURL = "https://sns.s3.amazonaws.com.s3.example/cert.pem" },
		"another region":    func(m *snsMessage) { m.SigningCertURL = "https://sns.eu-west-2.amazonaws.com/cert.pem" },
		"a bucket of SNS":   func(m *snsMessage) { m.SigningCertURL = "https://sns.s3-us-west-2.amazonaws.com/cert.pem" },
		"version 3":         func(m *snsMessage) { m.SignatureVersion = "3" },
		"a link to confirm": func(m *snsMessage) { m.Type, m.SubscribeURL = snsConfirmation, "https://example.com/confirm" },
	} {
		bad := m
		change(&bad)
		want(t, what, ask(t, h, "/ses", s.sign(t, bad), nil), http.StatusForbidden)
	}
	forged := strings.Replace(s.sign(t, m), "jo@example.net", "li@example.net", 1)
	want(t, "forged", ask(t, h, "/ses", forged, nil), http.StatusForbidden)
	confirm := m
	confirm.Type, confirm.Token, confirm.SubscribeURL = snsConfirmation, "t", "https://"+snsName+"/confirm?Token=t"
	want(t, "confirm", ask(t, h, "/ses", s.sign(t, confirm), nil), http.StatusNoContent)
	if len(i.got) != 2 || i.got[0] != "ses bounce jo@example.net" {
		t.Errorf("%q", i.got)
	}
	if diff := cmp.Diff([]string{"/cert.pem", "/other.pem", "/confirm"}, s.asked); diff != "" {
		t.Errorf("asked for: %s", diff)
	}
}

func TestHostOfSNS(t *testing.T) {
	for arn, host := range map[string]string{
		topic: snsName, "arn:aws-cn:sns:cn-north-1:123456789012:b": "sns.cn-north-1.amazonaws.com.cn",
		"arn:aws-us-gov:sns:us-gov-west-1:123456789012:b": "sns.us-gov-west-1.amazonaws.com", "": "", "arn:aws:sns::1:b": "",
	} {
		if got := snsHost(arn); got != host {
			t.Errorf("the host of %q is %q, want %q", arn, got, host)
		}
	}
}

// slow is a body of whom it is told when all but its end was read.
type slow struct {
	left int
	read chan<- struct{}
	end  <-chan struct{}
}

func (s *slow) Read(b []byte) (int, error) {
	if s.left > 0 {
		n := min(len(b), s.left)
		s.left -= n
		return n, nil
	}
	s.read <- struct{}{}
	<-s.end
	return 0, io.EOF
}

// Strangers with large bodies fill the memory so far and no further; requests as
// providers make them are answered meanwhile.
func TestLargeBodies(t *testing.T) {
	h, i := serve(t, Options{Postmark: "0123456789abcdef"})
	read, end, done := make(chan struct{}), make(chan struct{}), make(chan int)
	post := func() {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/postmark", &slow{left: 2 * smallBody, read: read, end: end})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		done <- w.Code
	}
	for range largeAtOnce {
		go post()
		<-read
	}
	go post()
	if code := <-done; code != http.StatusServiceUnavailable {
		t.Errorf("one too many gets %d", code)
	}
	want(t, "a small one", ask(t, h, "/postmark", sample(t, "postmark_hard.json"), func(r *http.Request) { r.Header.Set(secretField, "0123456789abcdef") }), http.StatusNoContent)
	close(end)
	for range largeAtOnce {
		if code := <-done; code != http.StatusForbidden {
			t.Errorf("a large one gets %d", code)
		}
	}
	if len(i.got) != 1 {
		t.Errorf("%q", i.got)
	}
}

// Bodies that anybody can send prove nothing.
func FuzzVerify(f *testing.F) {
	f.Add([]byte(`{"Type":"Notification","TopicArn":"` + topic + `","SigningCertURL":"https://sns.eu-west-1.amazonaws.com/cert.pem"}`))
	f.Add([]byte(`{"signature":{"timestamp":"1796634000","token":"t","signature":"00"}}`))
	client := &http.Client{Transport: closed{}}
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, p := range map[string]provider{"ses": newSES(topic, client), "mailgun": &mailgun{key: "k"}, "postmark": postmark{"0123456789abcdef"}} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(body))
			if _, err := p.verify(r, body); err == nil {
				t.Errorf("%s: %q is verified", name, body)
			}
		}
	})
}

// closed is a network that is down.
type closed struct{}

func (closed) RoundTrip(*http.Request) (*http.Response, error) { return nil, net.ErrClosed }
