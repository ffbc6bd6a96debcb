// Package mailbox is an SMTP server for trying things out: it listens on a
// loopback address, keeps every mail it gets as a file and shows the mails in
// the browser. Nothing is ever sent on.
//
// It speaks SMTP (RFC 5321) with PIPELINING, 8BITMIME, SMTPUTF8 and CHUNKING,
// without TLS and without AUTH. It knows nothing of threads, issues or
// subscribers; a mail is what came over the wire.
package mailbox
