// Package operator tells whoever runs the publication what stands in its way:
// by mail, by a command, and by a heartbeat that stays away.
//
// The warnings of the database are its memory: each is told once, by the
// holder of the lock, and again only after it was over. The package knows
// neither what the faults are about nor how they are found.
package operator
