// Package threads holds the sample threads: they fill the demo, serve the
// tests and show how a thread is written.
package threads

import "embed"

// FS holds the sample threads as they stand in a threads folder: files named
// after their date, and one folder with a picture of its own.
//
//go:embed *.md */index.md */*.png
var FS embed.FS
