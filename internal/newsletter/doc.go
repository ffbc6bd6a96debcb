// Package newsletter holds the nouns of the publication and their rules:
// threads and posts, issues and slots, subscribers and deliveries.
//
// It imports the standard library only, knows no file, database, template or
// network, and may be imported by every other package; that keeps the import
// graph free of cycles.
package newsletter
