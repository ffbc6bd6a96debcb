package mailcheck

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

const whyDKIM = "without a signature that holds, Gmail, Yahoo and Microsoft refuse bulk mail"

// dkim compares the record of each key with the key (RFC 6376, section 3.6).
func (c *checker) dkim(ctx context.Context) []Finding {
	if len(c.Keys) > 0 {
		var list []Finding
		for _, k := range c.Keys {
			list = append(list, c.dkimKey(ctx, k)...)
		}
		return list
	}
	f := Finding{Check: "dkim", Subject: c.from}
	if c.provider != nil {
		return []Finding{f.with(OK, c.provider.name+" signs, by the records that it told you to write").
			because("from here its selector is not known").
			advise("look at a mail that you received with `threadmill check --eml FILE`")}
	}
	return []Finding{f.with(Warning, "no key is set, so the mail is signed only if the relay does it").because(whyDKIM).
		advise("`threadmill dkim generate` makes a key; set mail.dkim to use it")}
}

func (c *checker) dkimKey(ctx context.Context, k Key) []Finding {
	name := k.Selector + "._domainkey." + ascii(k.Domain)
	f := Finding{Check: "dkim", Subject: name}
	want := k.Value
	found, err := c.Resolver.LookupTXT(ctx, name)
	switch {
	case absent(err), err == nil && len(found) == 0:
		return []Finding{f.with(Error, "there is no record").because(whyDKIM).publish(name, want)}
	case err != nil:
		return f.unanswered(err)
	case len(found) > 1:
		return []Finding{f.with(Error, fmt.Sprintf("there are %d TXT records", len(found))).
			because("receivers take any one of them (RFC 6376, section 3.6.2.2)").advise("leave only this one").publish(name, want)}
	}
	return []Finding{judgeDKIM(f, found[0], want, k.Public)}
}

// judgeDKIM compares a record with the one that the key wants.
func judgeDKIM(f Finding, record, want string, public crypto.PublicKey) Finding {
	wanted, _ := tags(want)
	found, err := tags(record)
	broken := func(text string) Finding { return f.with(Error, text).because(whyDKIM).publish(f.Subject, want) }
	key, has := found["p"]
	key = strings.Join(strings.Fields(key), "")
	v, versioned := found["v"]
	switch {
	case err != nil:
		return broken("the record " + quoted(record) + " cannot be read: " + err.Error())
	case versioned && (v != "DKIM1" || !strings.HasPrefix(strings.TrimSpace(record), "v")):
		return broken("the record does not begin with v=DKIM1")
	case !has:
		return broken("the record " + quoted(record) + " has no p=")
	case key == "":
		return broken("the key is revoked (p= is empty)").advise("sign by a selector of its own for each key, or put the key back")
	case kind(found) != wanted["k"]:
		return broken(fmt.Sprintf("the record says k=%s, the key is %s", shown(kind(found)), wanted["k"]))
	case !sameKey(key, wanted["p"], public):
		return broken("the record holds another key than the file that signs")
	case !listed(found, "h", "sha256"):
		return broken("the record forbids sha256 (h=" + shown(found["h"]) + ")")
	case !listed(found, "s", "email"):
		return broken("the record is not for mail (s=" + shown(found["s"]) + ")")
	}
	return dkimDoubts(f, found, want, public)
}

// dkimDoubts looks at what works, but not well.
func dkimDoubts(f Finding, found map[string]string, want string, public crypto.PublicKey) Finding {
	k, isRSA := public.(*rsa.PublicKey)
	switch {
	case isRSA && k.N.BitLen() < 1024:
		return f.with(Error, fmt.Sprintf("the key has %d bits", k.N.BitLen())).
			because("receivers take none below 1024 (RFC 8301, section 3.2)").advise("make a new one with `threadmill dkim generate`, under a new selector")
	case isRSA && k.N.BitLen() < 2048:
		return f.with(Warning, fmt.Sprintf("the record matches the key, which has %d bits", k.N.BitLen())).
			because("2048 are advised (RFC 8301, section 3.2)").advise("make a new one with `threadmill dkim generate`, under a new selector")
	case slices.Contains(flags(found["t"]), "y"):
		return f.with(Warning, "the record matches the key, but says that it is a test (t=y)").
			because("receivers may treat the mail as not signed (RFC 6376, section 3.6.1)").publish(f.Subject, want)
	case isRSA:
		return f.with(OK, fmt.Sprintf("the record matches the key (RSA, %d bits)", k.N.BitLen()))
	}
	return f.with(OK, "the record matches the key (Ed25519)").because("some receivers do not know this kind, so sign with RSA too")
}

// sameKey tells whether p= holds the key. RSA keys also stand there without
// their outer wrapping (RFC 6376, erratum 3017).
func sameKey(p, want string, public crypto.PublicKey) bool {
	if strings.TrimRight(p, "=") == strings.TrimRight(want, "=") {
		return true
	}
	k, isRSA := public.(*rsa.PublicKey)
	return isRSA && p == base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(k))
}

func kind(found map[string]string) string {
	if k, ok := found["k"]; ok {
		return k
	}
	return "rsa"
}

func flags(list string) []string {
	var all []string
	for f := range strings.SplitSeq(list, ":") {
		all = append(all, strings.TrimSpace(f))
	}
	return all
}

// listed tells whether a list that may be missing or * has value.
func listed(found map[string]string, tag, value string) bool {
	list, given := found[tag]
	all := flags(list)
	return !given || slices.Contains(all, value) || slices.Contains(all, "*") && tag == "s"
}
