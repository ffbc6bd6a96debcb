package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"threadmill/internal/config"
)

func (a *app) configCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "Print the config in force, without its secrets",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := config.Load(a.config, a.env)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(a.stdout, cfg.Redacted())
			return err
		},
	}
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.stdout, "threadmill", version)
			return err
		},
	}
}
