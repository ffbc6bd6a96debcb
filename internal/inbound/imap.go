package inbound

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// The waits of a mailbox: between looks where the server does not tell of new
// mail, and where it does; after a fault, and after a refused login, which
// would have some servers lock the account.
const (
	imapLook    = time.Minute
	imapIdle    = 10 * time.Minute
	imapAgain   = 30 * time.Second
	imapRefused = 15 * time.Minute
	imapDial    = 30 * time.Second
	imapDays    = 30 // older mail is not looked at
)

// IMAP is a mailbox (RFC 9051) that reports come to, maybe among other mail.
type IMAP struct {
	Host               string
	Port               int
	Username, Password string
	Folder             string
	TLS                string      // implicit, mandatory or none
	TLSConfig          *tls.Config // nil for the system's
	Take               Take
	Log                *slog.Logger

	validity uint32            // of the numbers in left
	left     map[imap.UID]bool // that are not ours
	fault    string            // that was told
}

// Run fetches what is new until ctx ends. What is ours is marked as seen; other
// mail is neither marked nor moved, and nothing is deleted.
func (m *IMAP) Run(ctx context.Context) {
	for ctx.Err() == nil {
		err := m.session(ctx)
		if err == nil || ctx.Err() != nil {
			continue
		}
		if text := err.Error(); text != m.fault {
			m.fault = text
			m.Log.Error("the mailbox for reports cannot be read", "host", m.Host, "err", err)
		}
		wait := imapAgain
		if refused, ok := errors.AsType[*imap.Error](err); ok && refused.Type == imap.StatusResponseTypeNo {
			wait = imapRefused
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// session is one connection, until it breaks or ctx ends.
func (m *IMAP) session(ctx context.Context) error {
	news := make(chan struct{}, 1)
	c, err := m.dial(ctx, news)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", m.Host, err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	if err := c.Login(m.Username, m.Password).Wait(); err != nil {
		return fmt.Errorf("log in to %s as %s: %w", m.Host, m.Username, err)
	}
	box, err := c.Select(m.Folder, nil).Wait()
	if err != nil {
		return fmt.Errorf("open the folder %s of %s: %w", m.Folder, m.Host, err)
	}
	if box.UIDValidity != m.validity {
		m.validity, m.left = box.UIDValidity, map[imap.UID]bool{}
	}
	for ctx.Err() == nil {
		if err := m.look(ctx, c); err != nil {
			return err
		}
		m.fault = ""
		if err := wait(ctx, c, news); err != nil {
			return fmt.Errorf("wait for mail at %s: %w", m.Host, err)
		}
	}
	return nil
}

func (m *IMAP) dial(ctx context.Context, news chan<- struct{}) (*imapclient.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, imapDial)
	defer cancel()
	address := net.JoinHostPort(m.Host, strconv.Itoa(m.Port))
	config := m.TLSConfig.Clone()
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	config.ServerName = m.Host
	options := &imapclient.Options{TLSConfig: config, UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(data *imapclient.UnilateralDataMailbox) {
			if data.NumMessages != nil {
				select {
				case news <- struct{}{}:
				default:
				}
			}
		},
	}}
	if m.TLS == "implicit" {
		conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		return imapclient.New(conn, options), nil
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if m.TLS == "none" {
		return imapclient.New(conn, options), nil
	}
	c, err := imapclient.NewStartTLS(conn, options)
	if err != nil {
		_ = conn.Close()
	}
	return c, err
}

// look takes in what nobody has seen yet.
func (m *IMAP) look(ctx context.Context, c *imapclient.Client) error {
	found, err := c.UIDSearch(&imap.SearchCriteria{
		NotFlag: []imap.Flag{imap.FlagSeen, imap.FlagDeleted}, Since: time.Now().AddDate(0, 0, -imapDays),
	}, nil).Wait()
	if err != nil {
		return fmt.Errorf("look for mail at %s: %w", m.Host, err)
	}
	unseen := found.AllUIDs()
	for uid := range m.left {
		if !slices.Contains(unseen, uid) {
			delete(m.left, uid)
		}
	}
	for _, uid := range unseen {
		if m.left[uid] || ctx.Err() != nil {
			continue
		}
		if err := m.one(ctx, c, uid); err != nil {
			return fmt.Errorf("take in mail %d of %s: %w", uid, m.Host, err)
		}
	}
	return nil
}

func (m *IMAP) one(ctx context.Context, c *imapclient.Client, uid imap.UID) error {
	section := &imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Size: maxMail}}
	mails, err := c.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	if err != nil {
		return err
	}
	if len(mails) != 1 || len(mails[0].BodySection) != 1 { // somebody took it away
		return nil
	}
	ours, err := m.Take(ctx, "", mails[0].BodySection[0].Bytes)
	if err != nil {
		return err
	}
	if !ours {
		m.left[uid] = true
		return nil
	}
	return c.Store(imap.UIDSetNum(uid), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagSeen}}, nil).Close()
}

// wait returns when there may be new mail.
func wait(ctx context.Context, c *imapclient.Client, news <-chan struct{}) error {
	patience := imapLook
	if c.Caps().Has(imap.CapIdle) {
		idle, err := c.Idle()
		if err != nil {
			return err
		}
		defer func() { _ = idle.Close() }()
		patience = imapIdle
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-news:
	case <-timer.C:
	case <-c.Closed():
		return net.ErrClosed
	case <-ctx.Done():
	}
	return nil
}
