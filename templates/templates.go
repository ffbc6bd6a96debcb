// Package templates holds the built-in templates of mails and pages. A file of
// the same name in the folder that the configuration names as `templates`
// takes the place of one of these. What a template is given stands in the
// comment at its top.
package templates

import "embed"

// FS holds the templates, without a folder above them.
//
//go:embed *.html *.txt *.yaml
var FS embed.FS
