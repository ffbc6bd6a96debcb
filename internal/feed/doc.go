// Package feed turns what is out into an RSS 2.0, an Atom 1.0 and a JSON Feed
// 1.1 document.
//
// The bytes are a function of the input alone, so that validators of an HTTP
// cache survive a restart and a rebuild. An item has the same id, text and
// times in all three documents.
//
// The package knows no file, database or clock, and it does not render: it is
// given HTML with absolute addresses.
package feed
