// Package backup packs files into one archive and takes them out again: a tar
// (POSIX.1-2001) in gzip (RFC 1952) or Zstandard (RFC 8878) that ends with a list
// of its files and their sums. It knows names and bytes, and nothing of what they
// mean.
package backup
