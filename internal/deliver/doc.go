// Package deliver brings pending deliveries to the relay: everyone gets one
// copy, and what happened to each is written down before the next one leaves.
//
// A feeder takes batches from an engine, which brings each to one Sender at a
// time, and hands out their deliveries, a worker for each connection sends them,
// and the journal writes for all workers in as few commits as the disk allows.
// The commit that records how one delivery of a connection ended also marks the
// next as being sent, so after a crash the marked ones are exactly those in
// doubt: at most one for each connection.
//
// The database is the only truth; the package knows nothing of threads, sites
// or schedules.
package deliver
