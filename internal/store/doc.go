// Package store keeps the publication's state in a database: threads seen,
// slots claimed, issues with their snapshot, deliveries and subscribers.
//
// Its SQL is written once for SQLite and PostgreSQL ($n placeholders, times as
// BIGINT milliseconds UTC); what must differ stands in dialect. A function
// that takes a *sql.Tx is a step of a larger transaction. The package knows
// the nouns of newsletter and nothing of files, templates, mail or schedules.
package store
