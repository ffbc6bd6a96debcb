// Package thread reads the threads folder: it parses the files, divides them
// into posts, counts words and names every fault with its file and line.
//
// A file that cannot be used never stops the others; it becomes a
// [newsletter.Problem] and no [newsletter.Thread]. Text that leaves this
// package is valid UTF-8 and holds no character that XML 1.0 forbids, except
// for Thread.Source, which is the file as it is.
//
// The package must not know what was sent or published: identity, state and
// order belong to the catalogue. It writes nothing and opens nothing outside
// the threads folder.
package thread
