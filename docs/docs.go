// Package docs holds the manual, which the demo shows beside its site.
package docs

import "embed"

// FS holds the pages of the manual as Markdown; README.md is the first, which
// lists the others. Links between them name the files.
//
//go:embed *.md
var FS embed.FS
