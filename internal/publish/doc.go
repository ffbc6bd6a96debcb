// Package publish is the act: a slot is claimed, the next thread becomes an
// issue, its mail is composed and frozen, everyone gets a delivery, and the
// page and the feeds are put in place so that the mail may go.
//
// Claim, issue and deliveries are one transaction; each step after it can be
// repeated. The package reads threads through a Folder and keeps state through
// a Store; it sends nothing itself.
package publish
