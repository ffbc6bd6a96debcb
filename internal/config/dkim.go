package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	netmail "net/mail"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"threadmill/internal/dnsname"
)

// DKIM is one key that signs mail.
type DKIM struct {
	Domain   string `json:"domain"`   // in ASCII; that of mail.from or one above or below it
	Selector string `json:"selector"` // the key's name in DNS: SELECTOR._domainkey.DOMAIN
	Key      string `json:"key"`      // path of the private key
}

// DKIMKeys sign every message, each for itself.
type DKIMKeys []DKIM

// dkimKey is the one key of the config whose value is a list of sections. Its
// text is JSON, which is YAML too.
const dkimKey = "mail.dkim"

// maxDKIM bounds the keys: each makes a message longer and takes time.
const maxDKIM = 4

// String is the form of the config.
func (d DKIMKeys) String() string {
	if len(d) == 0 {
		return "[]"
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(d); err != nil {
		return "[]" // texts always can be encoded
	}
	return strings.TrimSpace(b.String())
}

// label is a part of a domain (RFC 1035, section 2.3.1); an underscore is
// common in selectors.
var label = regexp.MustCompile(`^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$`)

// domainName tells whether s is made of labels, and short enough to stand below
// a selector.
func domainName(s string) bool {
	return len(s) <= 200 && !slices.ContainsFunc(strings.Split(s, "."), func(l string) bool { return !label.MatchString(l) })
}

// Check returns the key with its names as DNS has them, or what is wrong.
func (d DKIM) Check() (DKIM, error) {
	if d.Domain == "" || d.Selector == "" || d.Key == "" {
		return d, errors.New("each key has domain, selector and key; write {domain: example.com, selector: tm1, key: keys/tm1.pem}")
	}
	domain, err := dnsname.ASCII(d.Domain)
	if err != nil || !domainName(domain) || !strings.Contains(domain, ".") {
		return d, fmt.Errorf("domain %q is no name of a domain; write one such as example.com", d.Domain)
	}
	d.Domain, d.Selector = domain, strings.ToLower(d.Selector)
	if !domainName(d.Selector) {
		return d, fmt.Errorf("selector %q is no name; write letters, digits and hyphens, such as tm202611", d.Selector)
	}
	d.Key, err = parsePath(d.Key)
	return d, err
}

// parseDKIM reads the list of keys from JSON.
func parseDKIM(text string) (DKIMKeys, error) {
	var list DKIMKeys
	r := json.NewDecoder(strings.NewReader(text))
	r.DisallowUnknownFields()
	if err := r.Decode(&list); err != nil {
		return nil, errors.New("a list of keys is expected here; write [{domain: example.com, selector: tm1, key: keys/tm1.pem}]")
	}
	if len(list) > maxDKIM {
		return nil, fmt.Errorf("%d keys; write %d at most", len(list), maxDKIM)
	}
	for i, d := range list {
		d, err := d.Check()
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(list[:i], func(o DKIM) bool { return o.Domain == d.Domain && o.Selector == d.Selector }) {
			return nil, fmt.Errorf("selector %s of %s is given twice; leave one out", d.Selector, d.Domain)
		}
		list[i] = d
	}
	if len(list) == 0 {
		return nil, nil
	}
	return list, nil
}

// dkim reads the list of keys, and notes where each stands.
func (l *loader) dkim(s setting, node ast.Node, at place) {
	items, ok := node.(*ast.SequenceNode)
	if !ok {
		l.report(at, dkimKey, "a list of keys is expected here; write [{domain: example.com, selector: tm1, key: keys/tm1.pem}]")
		return
	}
	list := DKIMKeys{}
	for i, item := range items.Values {
		var d DKIM
		placed, ok := l.dkimItem(&d, item)
		if !ok {
			return
		}
		l.config.places[dkimItemKey(i)] = placed
		list = append(list, d)
	}
	if err := s.set(list.String()); err != nil {
		l.report(at, dkimKey, err.Error())
	}
}

// dkimItemKey names an entry of the list for Position.
func dkimItemKey(i int) string { return fmt.Sprintf("%s[%d]", dkimKey, i) }

// dkimItem reads one entry of the list. It is false after a report.
func (l *loader) dkimItem(d *DKIM, node ast.Node) (at place, ok bool) {
	at = placeOf(node.GetToken())
	var pairs []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	}
	if len(pairs) == 0 {
		l.report(at, dkimKey, "a key with domain, selector and key is expected here; write {domain: example.com, selector: tm1, key: keys/tm1.pem}")
		return at, false
	}
	at = placeOf(pairs[0].Key.GetToken())
	targets := map[string]*string{"domain": &d.Domain, "selector": &d.Selector, "key": &d.Key}
	for _, pair := range pairs {
		target, known := targets[pair.Key.GetToken().Value]
		if !known {
			l.report(placeOf(pair.Key.GetToken()), dkimKey, "unknown key; the keys here are domain, selector, key")
			return at, false
		}
		text, err := scalar(pair.Value)
		if err == nil {
			*target, err = expand(text, l.lookup)
		}
		if err != nil {
			l.report(placeOf(pair.Value.GetToken()), dkimKey, err.Error())
			return at, false
		}
	}
	return at, true
}

// signatures finds keys of mail.dkim that sign for another domain than the
// mail's: such a signature says nothing to DMARC (RFC 7489, section 3.1.1).
func (c *Config) signatures(add func(key, format string, args ...any)) {
	from, err := netmail.ParseAddress(c.Mail.From)
	if err != nil {
		return
	}
	sender, err := dnsname.ASCII(from.Address[strings.LastIndexByte(from.Address, '@')+1:])
	if err != nil {
		return
	}
	for i, d := range c.Mail.DKIM {
		if !dnsname.Aligned(d.Domain, sender) {
			add(dkimItemKey(i), "it signs for %s, but mail comes from %s, so that receivers leave the signature out of account; use a key of %s", d.Domain, sender, dnsname.Organisation(sender))
		}
	}
}

// ReadKey returns what the file of a key holds, and whether others than its
// owner can read it.
func (c *Config) ReadKey(d DKIM) (text []byte, exposed bool, err error) {
	path := c.Path(d.Key)
	text, mode, err := readFile(path, maxSecret)
	if err != nil {
		return nil, false, fmt.Errorf("read %s: %w", path, reason(err))
	}
	return text, c.OthersRead(path, mode), nil
}
