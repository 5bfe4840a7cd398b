package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"linegate/cmd/linegate/peers"
)

// newBenchPeersCommand is what `make bench-peers` runs.
func newBenchPeersCommand(c *cli) *cobra.Command {
	options := peers.Options{Rounds: 3, Subscribers: 100_000, Many: 1_000_000, Each: 4 * time.Second}
	quick := false
	command := &cobra.Command{
		Use:   "peers",
		Short: "Compare Linegate with FreeRADIUS on this machine",
		Long: "Install FreeRADIUS and PostgreSQL where they are missing, run them, Linegate and a batched UDP echo on\n" +
			"the same load in turn, and print what a request costs each, beside the targets.\n" +
			"Exit status: 0 all targets met, 1 one was missed or could not be measured.",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if quick {
				options.Rounds, options.Subscribers, options.Many, options.Each = 1, 2000, 10_000, time.Second
			}
			if options.Linegate, err = os.Executable(); err != nil {
				return err
			}
			options.Progress = cmd.ErrOrStderr()
			report, err := peers.Run(cmd.Context(), options)
			if err != nil {
				return err
			}
			switch c.output {
			case formatJSON:
				err = writeJSON(cmd.OutOrStdout(), report)
			case formatYAML:
				err = writeYAML(cmd.OutOrStdout(), report)
			default:
				err = report.Write(cmd.OutOrStdout())
			}
			if missed := report.Missed(); missed > 0 {
				err = errors.Join(err, fmt.Errorf("%d targets are not met", missed))
			}
			return err
		},
	}
	flags := command.Flags()
	flags.StringSliceVar(&options.Rows, "rows", nil, "rows to measure: "+strings.Join(peers.RowNames(), ", ")+" (default: all)")
	flags.IntVar(&options.Rounds, "rounds", options.Rounds, "how often to measure each")
	flags.IntVar(&options.Subscribers, "subscribers", options.Subscribers, "subscribers of most measurements")
	flags.IntVar(&options.Many, "many", options.Many, "subscribers, and sessions, of the largest network")
	flags.DurationVar(&options.Each, "each", options.Each, "how long to measure each time")
	flags.BoolVar(&quick, "quick", false, "a smoke run: one short round with few subscribers")
	return command
}
