// Package metrics tells how a publication does, in the words of Prometheus: the
// figures of the database, read at most every few seconds, and the requests to
// the web server.
//
// It must not know where the figures come from or who may see them. No label has
// a value that a stranger chose, and none names a person.
//
// Standard: the exposition formats of Prometheus and OpenMetrics 1.0.
package metrics
