// Package shell runs the commands that the config names: by sh, in the folder
// of the publication, with one JSON object on stdin.
//
// Whatever a command does, it does not keep the caller for longer than its time,
// and of what it prints no more is kept than a page. The package knows neither
// what the commands are for nor what follows when one fails.
package shell
