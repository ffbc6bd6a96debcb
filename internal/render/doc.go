// Package render turns threads into what people see: the mail of an issue in
// HTML and plain text, the pages of the site, and the HTML of a feed item.
//
// Its input are the nouns of package newsletter and a file system of
// templates, its output are bytes. It knows no recipient by heart (a mail is
// rendered once with marks where a recipient's values go), no folder, no
// database, no network and no clock: the same input gives the same bytes.
package render
