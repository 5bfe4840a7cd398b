package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// newRootCommand builds the tree of commands. It reads its input from and writes
// its output to what cobra's SetIn, SetOut and SetErr say, the process's own
// streams by default.
func newRootCommand() *cobra.Command {
	c := &cli{output: formatTable}
	root := &cobra.Command{
		Use:           "linegate",
		Short:         "A RADIUS server that knows every subscriber's line",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	flags := root.PersistentFlags()
	flags.StringVar(&c.configPath, "config", "", "configuration file (default $LINEGATE_CONFIG, ./linegate.yaml, /etc/linegate/linegate.yaml)")
	flags.VarP(&c.output, "output", "o", "output format: table, json, yaml")
	flags.StringVar(&c.tenant, "tenant", "", "tenant to work on (default: the only one in the store)")
	completeFlag(root, "output", cobra.FixedCompletions(outputFormats, cobra.ShellCompDirectiveNoFileComp))
	completeFlag(root, "tenant", c.completeTenant)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; `%s --help` lists the flags", err, cmd.CommandPath())
	})
	root.AddCommand(
		newConfigCommand(c),
		newApplyCommand(c),
		newProfileCommand(c),
		newNASCommand(c),
		newSessionCommand(c),
		newProvisionCommand(c),
		newStoreCommand(c),
		newMigrateCommand(c),
		newVersionCommand(c),
		newServeCommand(c),
		newExplainCommand(c),
		newSendCommand(c),
		newBenchCommand(c),
	)
	return root
}

// newGroup builds a command that only holds others: by itself it shows its help,
// and a word that is none of them is an error.
func newGroup(use, short string, aliases []string, children ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{
		Use: use, Short: short, Aliases: aliases,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			hint := "`" + cmd.CommandPath() + " --help` lists the commands"
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				hint = "did you mean " + strings.Join(near, " or ") + "? " + hint
			}
			return fmt.Errorf("%s: unknown command %q; %s", cmd.CommandPath(), args[0], hint)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	group.SuggestionsMinimumDistance = 2
	group.AddCommand(children...)
	return group
}
