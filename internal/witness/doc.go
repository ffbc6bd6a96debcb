// Package witness reads what a public site tells of its publication: its mark,
// and in its feeds what was sent. It knows addresses and folders, and nothing of
// databases.
package witness
