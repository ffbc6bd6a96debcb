// Package search knows what the words of a text are, reads what people look
// for, and shows where a text has it. It keeps the texts of the threads that
// are out as the database searches them.
//
// Both databases get words that were cut and folded here, so that they find the
// same; neither sees what a person typed. Scripts that are written without
// spaces are cut into overlapping pairs of characters, so that each part of a
// run of them is found.
//
// It imports nothing of ours but newsletter, and must not know SQL or HTML.
package search
