// Package mailcheck asks DNS, the relay and the public web server what a
// receiver of the mail will ask them: SPF (RFC 7208), DKIM (RFC 6376, RFC
// 8463), DMARC (RFC 7489), MX (RFC 5321, RFC 7505), reverse names, TLS and the
// extensions of the relay, and the one-click address (RFC 8058). Each answer is
// one [Finding]: what was found, why it matters, and what to put into DNS.
//
// It changes nothing and sends no mail. It knows neither the config file nor
// the database: whoever calls it says who sends and by which relay.
package mailcheck
