// Package cluster brings batches to the nodes that send them, by River on
// PostgreSQL.
//
// A job of River says no more than that a batch may be worked. Who works it is
// for the database to decide, when a node takes the batch; so a job may come
// late or twice. That is also why jobs are not written by whoever opens a batch:
// the keeper of the publication looks what is open and has none. The package
// knows nothing of mail.
package cluster
