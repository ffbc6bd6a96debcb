// Package mail turns an issue into bytes and hands them to a relay or to a
// folder.
//
// A [Letter] is composed once into a [Template]; [Template.Append] splices one
// recipient's values into it, so that a message is whole before the relay
// hears of it. A [Transport] gives connections, and every answer of a relay
// ends as nil (accepted), a [Refusal] (it said no) or a [Fault] (it said
// nothing that counts).
//
// The package follows RFC 5321 (SMTP), RFC 5322 (messages), RFC 2045 to 2047
// (MIME), RFC 2369 and 2919 (list headers) and RFC 8058 (one-click
// unsubscribing). It knows nothing of threads, subscribers or a database, and
// it never retries: who calls it decides what an answer means.
package mail
