// Package config reads the publication's config.yaml into one struct.
//
// Reading is strict: an unknown key, a wrong type and a value out of range are
// errors with file, line and column, and all of them are reported together.
// The table in settings.go is the one place that knows the keys, their values
// and their order; reading, checking and printing follow it.
//
// In every value ${NAME} stands for an environment variable, or else for a
// line of the file .env beside the config. What a variable holds is not
// searched again. A dollar sign before anything but { is itself, and $${ is a
// literal ${.
//
// A secret can also stand in a file of its own, named by the key with _file
// behind it (password_file). The file's last line break is not part of the
// secret.
//
// The package must not know what the values are used for: it imports none of
// the other packages, opens no connection, and leaves cron expressions and
// templates to their readers, who find the place for their errors with
// Config.Position.
package config
