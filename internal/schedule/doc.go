// Package schedule turns a cron expression and a time zone into slots: the
// instants at which an issue is due.
//
// robfig/cron reads the expression and rings the alarm. Where a slot lies is
// decided here, because robfig loses and doubles slots at zone transitions:
//
//   - Where the hour field is fixed (0 9 * * MON), slots are wall-clock times.
//     One inside a spring gap is due at the end of the gap, one that the clock
//     shows twice is due the first time only.
//   - Where the hour field is wild (it holds *, ? or a step), every instant
//     at which the clock matches is a slot.
//   - The slots of @every are multiples of its interval since the Unix epoch,
//     so that they do not depend on when the program was started.
//
// A day of month and a weekday given together mean either of them, as POSIX
// has it. The zone database is embedded for machines without one.
//
// The package must not know what a slot is used for, nor which slots have been
// claimed; it reads no file and keeps no state.
package schedule
