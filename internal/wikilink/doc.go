// Package wikilink reads [[links]] and ![[embeds]] in Markdown as Obsidian
// writes them. It knows no threads: where a link leads, and whether a picture
// is there, others decide.
package wikilink
