package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"time"

	"threadmill/internal/config"
	"threadmill/internal/mail"
)

// keyLookup bounds the question for one DKIM key.
const keyLookup = 10 * time.Second

// checkMail tells what a received mail says about its way. What a relay
// changed is no error of the publication: the status is 0.
func (a *app) checkMail(ctx context.Context, flags checkFlags) error {
	file := flags.eml
	cfg, err := config.Load(a.config, a.env)
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return &usageError{fmt.Errorf("--eml: %w", err)}
	}
	defer f.Close()
	resolver := a.resolver(flags.resolver)
	in := mail.Inspection{From: asciiAddress(cfg.Mail.From).Address, LookupTXT: func(domain string) ([]string, error) {
		ctx, cancel := context.WithTimeout(ctx, keyLookup)
		defer cancel()
		return resolver.LookupTXT(ctx, domain)
	}}
	for _, address := range []string{cfg.Publication.URL, cfg.Web.URL} {
		if u, err := url.Parse(address); err == nil {
			in.Hosts = append(in.Hosts, u.Hostname())
		}
	}
	found, err := in.Inspect(f)
	if err != nil {
		return fmt.Errorf("look at %s: %w", file, err)
	}
	if flags.json {
		return printJSON(a.stdout, found)
	}
	changed := 0
	for _, finding := range found {
		fmt.Fprintln(a.stdout, finding)
		if !finding.Good {
			changed++
		}
	}
	if changed > 0 {
		fmt.Fprintf(a.stdout, "%s to look at\n", plural(changed, "finding"))
	}
	return nil
}
