package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/config"
	"threadmill/internal/mail"
)

type dkimOptions struct {
	domain, selector, dir string
	ed25519, json         bool
}

func (a *app) dkimCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dkim",
		Short: "Make and show the keys that sign mail (DKIM)",
		Long: `Receivers take mail of a list that its domain has signed. The private key signs
on this machine, the public one stands in DNS; mail.dkim in the config names
both. ` + "`threadmill dkim generate`" + ` begins.`,
	}
	cmd.AddCommand(a.dkimGenerateCommand(), a.dkimShowCommand())
	return cmd
}

func (a *app) dkimGenerateCommand() *cobra.Command {
	var o dkimOptions
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Write a new key and print its DNS record",
		Long: `Generate writes a new private key that only you can read, and prints the DNS
record of the public one, the lines for the config, and how to go on. Nothing is
signed by it before it stands in the config, and no file is overwritten.

The key is RSA with 2048 bits, which every receiver knows. --ed25519 makes one of
the newer kind, to sign beside the RSA key: few receivers look at it yet.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.dkimGenerate(o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.domain, "domain", "", "the `domain` to sign for; that of mail.from when left out")
	f.StringVar(&o.selector, "selector", "", "the key's `name` in DNS; tm with year and month when left out, such as tm202611")
	f.StringVar(&o.dir, "dir", "keys", "the `folder` for the key; a relative one counts from that of the config")
	f.BoolVar(&o.ed25519, "ed25519", false, "make an Ed25519 key")
	f.BoolVar(&o.json, "json", false, "print a JSON document")
	return cmd
}

func (a *app) dkimShowCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print the DNS records of the keys in the config",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return a.dkimShow(asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

// dkimRecord is a key in `dkim show --json`; it holds nothing secret.
type dkimRecord struct {
	Domain    string `json:"domain"`
	Selector  string `json:"selector"`
	Algorithm string `json:"algorithm"`
	Key       string `json:"key"` // its file
	Name      string `json:"name"`
	Type      string `json:"type"`
	Value     string `json:"value"`
}

func recordOf(k mail.Key, file string) dkimRecord {
	name, value := k.Record()
	return dkimRecord{k.Domain, k.Selector, k.Algorithm(), file, name, "TXT", value}
}

// dkimGenerate works without a config too, where all it needs is said.
func (a *app) dkimGenerate(o dkimOptions) error {
	cfg, err := config.Load(a.config, a.env)
	if err != nil {
		if _, stat := os.Stat(a.config); stat == nil || o.domain == "" {
			return err
		}
		cfg = config.Default()
		cfg.Dir = filepath.Dir(a.config)
	}
	d, err := newKey(&cfg, o, time.Now())
	if err != nil {
		return &usageError{err}
	}
	generate := mail.GenerateRSA
	if o.ed25519 {
		generate = mail.GenerateEd25519
	}
	text, err := generate()
	if err != nil {
		return err
	}
	signer, err := mail.ParseKey(text)
	if err != nil {
		return err
	}
	path := cfg.Path(d.Key)
	if err := writeKey(path, text); err != nil {
		return err
	}
	k := mail.Key{Domain: d.Domain, Selector: d.Selector, Signer: signer}
	if o.json {
		return printJSON(a.stdout, recordOf(k, path))
	}
	fmt.Fprintf(a.stdout, "Wrote %s (%s). It is secret: keep a copy where you keep your passwords.\n\n", path, k.Algorithm())
	printRecord(a.stdout, k)
	printLines(a.stdout, "", "Config, once that record can be seen by `dig +short TXT "+k.Selector+"._domainkey."+k.Domain+"`:", "",
		"mail:", "  dkim:")
	for _, old := range cfg.Mail.DKIM {
		printLines(a.stdout, "    - "+dkimLine(old))
	}
	printLines(a.stdout, "    - "+dkimLine(d), "", afterKey(&cfg, o))
	return nil
}

// newKey is where a new key goes and what it is called.
func newKey(cfg *config.Config, o dkimOptions, now time.Time) (config.DKIM, error) {
	domain := o.domain
	if domain == "" {
		from, err := netmail.ParseAddress(cfg.Mail.From)
		if err != nil {
			return config.DKIM{}, errors.New("mail.from says no domain to sign for; set it, or name one with --domain")
		}
		domain = from.Address[strings.LastIndexByte(from.Address, '@')+1:]
	}
	selector := "tm" + now.Format("200601")
	if o.ed25519 {
		selector += "-ed25519"
	}
	d, err := config.DKIM{Domain: domain, Selector: cmp.Or(o.selector, selector), Key: "-"}.Check()
	if err != nil {
		return d, err
	}
	for _, old := range cfg.Mail.DKIM {
		if old.Domain == d.Domain && old.Selector == d.Selector {
			return d, fmt.Errorf("selector %s of %s has a key in the config; name another with --selector, or see its record by `threadmill dkim show`", d.Selector, d.Domain)
		}
	}
	d.Key = filepath.Join(o.dir, d.Selector+"."+d.Domain+".pem")
	return d, nil
}

// writeKey writes a private key that only its owner can read, and overwrites
// nothing.
func writeKey(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the folder for the key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already, and a key is never overwritten; name another with --selector", path)
	}
	if err != nil {
		return fmt.Errorf("write the key: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write the key: %w", errors.Join(err, os.Remove(path)))
	}
	return nil
}

// dkimLine is a key as it stands in the config.
func dkimLine(d config.DKIM) string {
	return strings.TrimSuffix(strings.TrimPrefix(config.DKIMKeys{d}.String(), "["), "]")
}

func printRecord(w io.Writer, k mail.Key) {
	r := recordOf(k, "")
	printLines(w,
		"DNS record, for the form of a provider:", "",
		"  Name   "+r.Name,
		"  Type   "+r.Type,
		"  Value  "+r.Value, "",
		"The same for a zone file, in strings of at most 255 characters:", "",
		"  "+strings.ReplaceAll(k.ZoneRecord(), "\n", "\n  "))
}

// afterKey tells how to go on after a new key.
func afterKey(cfg *config.Config, o dkimOptions) string {
	switch {
	case len(cfg.Mail.DKIM) == 0:
		return "Then restart `threadmill run`, and look at a test mail: `threadmill preview --to YOU`."
	case o.ed25519:
		return "Both keys sign from the next start of `threadmill run` on."
	}
	return `To replace a key by this one, so that mail on its way can be verified all the time:
  1. Put the new record into DNS, and leave the old one.
  2. When it can be seen everywhere (a day later), leave the old key out of the
     config and restart ` + "`threadmill run`" + `.
  3. A week later take the old record out of DNS and delete the old key.`
}

func (a *app) dkimShow(asJSON bool) error {
	cfg, err := config.Load(a.config, a.env)
	if err != nil {
		return err
	}
	keys, _, err := dkimKeys(&cfg)
	if err != nil {
		return err
	}
	if asJSON {
		records := []dkimRecord{}
		for i, k := range keys {
			records = append(records, recordOf(k, cfg.Path(cfg.Mail.DKIM[i].Key)))
		}
		return printJSON(a.stdout, records)
	}
	if len(keys) == 0 {
		printLines(a.stdout, "No key signs mail: mail.dkim is empty. `threadmill dkim generate` makes one.")
	}
	for i, k := range keys {
		if i > 0 {
			printLines(a.stdout, "")
		}
		printLines(a.stdout, cfg.Path(cfg.Mail.DKIM[i].Key)+" ("+k.Algorithm()+")", "")
		printRecord(a.stdout, k)
	}
	return nil
}
