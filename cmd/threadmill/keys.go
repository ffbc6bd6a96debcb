package main

import (
	"errors"
	"fmt"

	"threadmill/internal/config"
	"threadmill/internal/mail"
)

// dkimKeys reads the keys that sign the mail. exposed names the files of them
// that others can read, nil where there are none.
func dkimKeys(cfg *config.Config) (keys []mail.Key, exposed, err error) {
	for i, d := range cfg.Mail.DKIM {
		at := fmt.Sprintf("mail.dkim[%d]", i)
		wrong := func(err error) error { return &usageError{fmt.Errorf("%s: %s: %w", cfg.Position(at), at, err)} }
		text, open, err := cfg.ReadKey(d)
		if err != nil {
			return nil, nil, wrong(err)
		}
		path := cfg.Path(d.Key)
		signer, err := mail.ParseKey(text)
		if err != nil {
			return nil, nil, wrong(fmt.Errorf("%s: %w", path, err))
		}
		if open {
			exposed = errors.Join(exposed, wrong(fmt.Errorf("%s can be read by other users; run chmod 600 %s", path, path)))
		}
		keys = append(keys, mail.Key{Domain: d.Domain, Selector: d.Selector, Signer: signer})
	}
	return keys, exposed, nil
}

// ReadyToSend tells what is missing for sending mail, and reads the keys that
// sign it.
func (p *publication) ReadyToSend() error {
	if err := p.Config.ReadyToSend(); err != nil {
		return err
	}
	keys, exposed, err := dkimKeys(&p.Config)
	if err != nil {
		return err
	}
	p.exposed = exposed
	p.signer, err = mail.NewSigner(keys...)
	return err
}

// renewKeys reads the keys again. Where that fails those before go on signing.
func (p *publication) renewKeys() {
	if err := p.readKeys(); err != nil {
		p.log.Error("mail is signed by the keys from before", "err", err)
	}
}

// readKeys reads the keys into a signer that is at work.
func (p *publication) readKeys() error {
	keys, _, err := dkimKeys(&p.Config)
	if err != nil {
		return err
	}
	return p.signer.Use(keys...)
}

// signing makes a transport sign what leaves, where there are keys.
func (p *publication) signing(t mail.Transport) mail.Transport {
	if len(p.Mail.DKIM) == 0 {
		return t
	}
	if p.exposed != nil {
		fmt.Fprintf(p.stderr, "threadmill: warning: %v\n", p.exposed)
	}
	return mail.Signed(t, p.signer)
}
