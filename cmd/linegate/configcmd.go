package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"linegate/cmd/linegate/config"
)

func newConfigCommand(c *cli) *cobra.Command {
	return newGroup("config", "Check the configuration and list its keys", nil,
		newConfigCheckCommand(c), newConfigKeysCommand(c))
}

func newConfigCheckCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "Check a configuration file, and the environment that overrides it",
		Long: "Check a configuration file, and the LINEGATE_* variables that override it.\n" +
			"Without FILE, the one that other commands would use is checked.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := config.Find(c.configPath)
			if len(args) == 1 {
				path = args[0]
			}
			if path == "" {
				return errNoConfig()
			}
			if _, err := config.Load(path); err != nil {
				return err
			}
			if c.output != formatTable {
				return show(cmd.OutOrStdout(), c.output, record{{"file", path}, {"ok", true}})
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: ok\n", path)
			return err
		},
	}
}

func newConfigKeysCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "keys",
		Short: "List every configuration key with its default, range and variable",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			keys := newListing(cmd.OutOrStdout(), c.output, "key", "default", "allowed", "about")
			for _, key := range config.Keys() {
				err := keys.add(record{
					{"key", key.Name},
					{"environment", key.Env()},
					{"default", key.Default},
					{"allowed", key.Allowed},
					{"about", key.About},
				})
				if err != nil {
					return err
				}
			}
			return keys.close()
		},
	}
}
