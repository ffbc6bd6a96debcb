// Package importer turns archives of other programs into thread files. Each
// format has a file of its own and a row in the table of [Formats].
//
// A reader of a format only reads; [Write] puts the files into a folder and
// never replaces one. The package must not know the database or what was
// published: a file that comes in twice is recognised by its params.id.
package importer
