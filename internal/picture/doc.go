// Package picture makes of an author's picture what readers get: upright, not
// wider than it is shown, and without what a camera wrote into it about the
// place and the time.
//
// It knows bytes and names, and nothing of folders, threads or pages. The same
// source gives the same bytes on every machine: all of its arithmetic is of
// whole numbers.
package picture
