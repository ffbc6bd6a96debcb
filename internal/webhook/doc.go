// Package webhook takes the reports that providers send by HTTP: Amazon SES by
// SNS, Postmark, Mailgun and SendGrid.
//
// A request proves where it comes from before anything in it is read; what it
// says becomes a [mail.Report] like one that came by mail. The package must not
// know whom a report is about or what becomes of it.
package webhook
