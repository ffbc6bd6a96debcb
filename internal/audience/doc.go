// Package audience is the list of subscribers: what counts as an address, who
// is added, imported and exported, and how somebody leaves with a signed link.
//
// It must not know which database keeps the list (see [Store]), nor how mail
// is sent or a page is served.
package audience
