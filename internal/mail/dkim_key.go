package mail

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// Key is one that signs for a domain.
type Key struct {
	Domain   string // in ASCII
	Selector string
	Signer   crypto.Signer // of an RSA or Ed25519 key
}

// The sizes of an RSA key in bits: what is smaller counts for nothing, and
// what is larger verifiers need not take (RFC 8301, section 3.2).
const (
	minRSA       = 1024
	generatedRSA = 2048
	maxRSA       = 4096
)

// GenerateRSA returns a new RSA key of 2048 bits in PEM.
func GenerateRSA() ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, generatedRSA)
	if err != nil {
		return nil, fmt.Errorf("generate a key: %w", err)
	}
	return encodeKey(key)
}

// GenerateEd25519 returns a new Ed25519 key (RFC 8463) in PEM.
func GenerateEd25519() ([]byte, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate a key: %w", err)
	}
	return encodeKey(key)
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// ParseKey reads a private key in PEM: PKCS #8, or PKCS #1 as older programs
// write RSA keys. Its error holds nothing of the key.
func ParseKey(text []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it is no private key in PEM; `threadmill dkim generate` writes one")
	}
	var parsed any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("the key needs a passphrase; write it without: openssl pkey -in FILE -out FILE")
	case "PUBLIC KEY":
		return nil, errors.New("it is the public key, for DNS; name the file of the private one")
	default:
		return nil, fmt.Errorf("it holds %q, not a private key", oneLine(block.Type))
	}
	if err != nil {
		return nil, errors.New("the private key is damaged; put the file back from a backup, or write a new key by `threadmill dkim generate`")
	}
	switch key := parsed.(type) {
	case *rsa.PrivateKey:
		if bits := key.N.BitLen(); bits < minRSA || bits > maxRSA {
			return nil, fmt.Errorf("an RSA key of %d bits is not taken by receivers; use one of %d", bits, generatedRSA)
		}
		return key, nil
	case ed25519.PrivateKey:
		return key, nil
	}
	return nil, fmt.Errorf("a key of the kind %T is not known to DKIM; use RSA or Ed25519", parsed)
}

// Algorithm is the kind of the key for people, such as "RSA, 2048 bits".
func (k Key) Algorithm() string {
	if public, ok := k.Signer.Public().(*rsa.PublicKey); ok {
		return fmt.Sprintf("RSA, %d bits", public.N.BitLen())
	}
	return "Ed25519"
}

// Record is the public key as DNS has to give it: the name of a TXT record,
// and its value (RFC 6376, section 3.6; RFC 8463, section 4).
func (k Key) Record() (name, value string) {
	kind, public := "rsa", []byte(nil)
	switch key := k.Signer.Public().(type) {
	case *rsa.PublicKey:
		public, _ = x509.MarshalPKIXPublicKey(key) // an RSA key always can be
	case ed25519.PublicKey:
		kind, public = "ed25519", key
	}
	return k.Selector + "._domainkey." + k.Domain, "v=DKIM1; k=" + kind + "; p=" + base64.StdEncoding.EncodeToString(public)
}

// maxString is the most octets that one string of a TXT record holds (RFC 1035,
// section 3.3.14).
const maxString = 255

// ZoneRecord is the record in the form of a zone file (RFC 1035, section 5):
// the value in strings that a verifier joins without spaces.
func (k Key) ZoneRecord() string {
	name, value := k.Record()
	var b strings.Builder
	b.WriteString(name + ". IN TXT (")
	for len(value) > 0 {
		n := min(len(value), maxString)
		b.WriteString("\n  \"" + value[:n] + "\"")
		value = value[n:]
	}
	return b.String() + " )"
}
