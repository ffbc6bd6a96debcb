package mailcheck

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

const whyOneClick = "Gmail and Yahoo want one click to be enough, and who cannot unsubscribe complains"

// web asks whether the address for unsubscribing can be reached and belongs to
// this publication (RFC 8058).
func (c *checker) web(ctx context.Context) []Finding {
	f := Finding{Check: "one-click", Subject: shown(c.Web.URL)}
	if c.Web.URL == "" {
		return nil
	}
	if c.Web.OneClick == "" {
		return []Finding{f.with(Warning, "readers unsubscribe by mail only (mail.unsubscribe: mailto)").because(whyOneClick).
			advise("let `threadmill run` serve the site and set mail.unsubscribe to https")}
	}
	u, err := url.Parse(c.Web.OneClick)
	if err != nil || u.Scheme != "https" {
		return []Finding{f.with(Error, "it is not https").because("RFC 8058 takes no other for one click").
			advise("put a certificate before the web server and write https:// into web.url or publication.url")}
	}
	client := c.httpClient()
	defer client.CloseIdleConnections()
	if err := c.healthy(ctx, client); err != nil {
		return []Finding{f.with(Error, err.Error()).because(whyOneClick).
			advise("`threadmill run` has to answer there; check web.url, web.listen and the server before it")}
	}
	return []Finding{c.oneClick(ctx, client, f)}
}

// httpClient follows nothing: a one-click request is not followed either.
func (c *checker) httpClient() *http.Client {
	d := net.Dialer{Resolver: c.Resolver.Net()}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:           http.ProxyFromEnvironment,
			DialContext:     d.DialContext,
			TLSClientConfig: &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12},
		},
	}
}

// maxHealth is far above what the health check answers.
const maxHealth = 4 << 10

// noAnswerError says that the web server gave no answer.
type noAnswerError struct {
	text  string
	cause error
}

func (e *noAnswerError) Error() string { return e.text + ": " + reason(e.cause) }

func (e *noAnswerError) Unwrap() error { return e.cause }

// healthy tells what is wrong with the web server, if anything.
func (c *checker) healthy(ctx context.Context, client *http.Client) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Web.URL+"/healthz", nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(r)
	if err != nil {
		return &noAnswerError{"it cannot be reached", err}
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxHealth))
	if err != nil {
		return &noAnswerError{"it cannot be read", err}
	}
	var health struct{ Status, Publication string }
	switch {
	case answer.StatusCode != http.StatusOK, json.Unmarshal(body, &health) != nil, health.Status != "ok":
		return fmt.Errorf("/healthz answers %s, and not as threadmill does", shown(answer.Status))
	case c.Web.Publication != "" && health.Publication != c.Web.Publication:
		return errors.New("/healthz answers for another publication")
	}
	return nil
}

// reachTries bounds how often a web server is asked that gives no answer in time.
const reachTries = 3

// Reach tells why no server of the publication answers at o.Web. One that does not
// in time is asked again.
func Reach(ctx context.Context, o Options) (err error) {
	c := newChecker(o)
	client := c.httpClient()
	defer client.CloseIdleConnections()
	for range reachTries {
		err = c.reach(ctx, client)
		if late, ok := errors.AsType[net.Error](err); !ok || !late.Timeout() || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// reach asks once.
func (c *checker) reach(ctx context.Context, client *http.Client) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	return c.healthy(ctx, client)
}

// oneClick sends the request of a mail program for nobody: only whoever has
// the keys of this publication accepts its token.
func (c *checker) oneClick(ctx context.Context, client *http.Client, f Finding) Finding {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Web.OneClick, strings.NewReader("List-Unsubscribe=One-Click"))
	if err != nil {
		return f.with(Error, reason(err))
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := client.Do(r)
	if err != nil {
		return f.with(Error, "a request to unsubscribe gets no answer: "+reason(err)).because(whyOneClick)
	}
	defer answer.Body.Close()
	switch code := answer.StatusCode; {
	case code == http.StatusOK:
		return f.with(OK, "it takes requests to unsubscribe for this publication")
	case code == http.StatusBadRequest:
		return f.with(Error, "it takes requests to unsubscribe, but not for this publication").because(whyOneClick).
			advise("check web.url, and that the server there uses this database")
	case code >= 300 && code < 400:
		return f.with(Error, "it sends requests to unsubscribe elsewhere ("+shown(answer.Status)+")").
			because("mail programs do not follow (RFC 8058, section 3.1)").advise("write the address where it ends into web.url")
	}
	return f.with(Error, "it refuses requests to unsubscribe ("+shown(answer.Status)+")").because(whyOneClick).
		advise("let the server before it pass POST below /unsubscribe/ on")
}
