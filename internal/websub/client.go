package websub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	pingTime  = 20 * time.Second
	maxHops   = 3
	maxAnswer = 4 << 10 // of an answer is read, in bytes
	maxReason = 200     // of it is shown
)

type client struct {
	http  http.Client
	agent string
}

func newClient(agent string) *client {
	return &client{agent: agent, http: http.Client{Timeout: pingTime, CheckRedirect: redirect}}
}

// redirect follows only where the request stays what it is (RFC 9110, section
// 15.4.8), and never from a safe address to one that is not.
func redirect(r *http.Request, via []*http.Request) error {
	switch {
	case r.Method != http.MethodPost:
		return fmt.Errorf("it has moved to %s; set feeds.hub to the new address", r.URL.Redacted())
	case len(via) > maxHops:
		return fmt.Errorf("it sends on more than %d times", maxHops)
	case via[0].URL.Scheme == "https" && r.URL.Scheme != "https":
		return errors.New("it sends on from https to http")
	}
	return nil
}

// ping tells a hub that a feed changed. wait is how long the hub asks not to be
// tried again.
func (c *client) ping(ctx context.Context, hub, topic string) (wait time.Duration, err error) {
	form := url.Values{"hub.mode": {"publish"}, "hub.url": {topic}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, hub, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("User-Agent", c.agent)
	res, err := c.http.Do(r)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // the hub's name stands with it
		}
		return 0, err
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer)) // what came of it will do
	if res.StatusCode/100 == 2 {
		return 0, nil
	}
	return retryAfter(res.Header.Get("Retry-After"), time.Now()), fmt.Errorf("it answered %d %s to %s%s", res.StatusCode,
		http.StatusText(res.StatusCode), topic, reason(res.Header.Get("Content-Type"), text))
}

// retryAfter reads the header of RFC 9110, section 10.2.3.
func retryAfter(value string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(max(n, 0), int(lastWait/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), lastWait)
	}
	return 0
}

// reason is what a hub says in plain text, on one line.
func reason(kind string, text []byte) string {
	if !strings.HasPrefix(kind, "text/plain") {
		return ""
	}
	line := strings.Join(strings.FieldsFunc(strings.ToValidUTF8(string(text), " "), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	if line == "" {
		return ""
	}
	if runes := []rune(line); len(runes) > maxReason {
		line = string(runes[:maxReason]) + "…"
	}
	return ": " + line
}
