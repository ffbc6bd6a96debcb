package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// named refuses a command line that does not say what the command is for.
func named(what, usage string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("say %s: `threadmill %s`", what, usage)
		}
		return nil
	}
}

// one is named for a command that takes one argument.
func one(what, usage string) cobra.PositionalArgs {
	return cobra.MatchAll(named(what, usage), func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return fmt.Errorf("say only one after another: `threadmill %s`; %q is too much", usage, args[1])
		}
		return nil
	})
}
