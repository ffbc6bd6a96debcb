package main

import (
	"context"
	"errors"
	"fmt"

	"threadmill/internal/audience"
	"threadmill/internal/config"
	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// The exit statuses.
const (
	statusDone        = 0
	statusFailed      = 1
	statusUsage       = 2
	statusPartly      = 3
	statusTempFail    = 75 // EX_TEMPFAIL of sysexits.h
	statusInterrupted = 130
)

// usageError says that the command line or the configuration is wrong.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// errPartly says that an issue went out, but not to everybody.
var errPartly = errors.New("some deliveries failed for good")

// errInterrupted says that a signal ended the command before its work was done.
var errInterrupted = errors.New("interrupted")

// exitStatus is the one table from errors to exit statuses.
func exitStatus(ctx context.Context, err error) int {
	_, usage := errors.AsType[*usageError](err)
	_, stuck := errors.AsType[*stuckError](err)
	_, moved := errors.AsType[*store.MovedError](err) // the config names the old database
	_, again := errors.AsType[*tempFailError](err)
	switch {
	case err == nil:
		return statusDone
	case again:
		return statusTempFail
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return statusInterrupted
	case usage, stuck, moved, errors.Is(err, config.ErrInvalid):
		return statusUsage
	case errors.Is(err, errPartly):
		return statusPartly
	}
	return statusFailed
}

// badArgument is a usage error for an argument that names nothing.
func badArgument(err error) error {
	if errors.Is(err, newsletter.ErrNotFound) {
		return &usageError{err}
	}
	return err
}

// badAddress is a usage error for an argument that is no address, or the one of
// somebody who is not on the list.
func badAddress(err error) error {
	if errors.Is(err, newsletter.ErrNotFound) {
		return &usageError{fmt.Errorf("%w; `threadmill subscribers list` shows who is on the list", err)}
	}
	if _, bad := errors.AsType[*audience.AddressError](err); bad {
		return &usageError{err}
	}
	return err
}
