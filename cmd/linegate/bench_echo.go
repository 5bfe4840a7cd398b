package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// newBenchEchoCommand serves the floor that `bench auth --floor` measures: what
// receiving and sending datagrams in batches costs, with nothing in between.
func newBenchEchoCommand() *cobra.Command {
	var address string
	command := &cobra.Command{
		Use:    "echo",
		Short:  "Send back every datagram, as fast as this machine can",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serveEcho(cmd.Context(), address, func(bound string) {
				fmt.Fprintln(cmd.OutOrStdout(), bound)
			})
		},
	}
	command.Flags().StringVar(&address, "listen", "127.0.0.1:1812", "HOST:PORT to listen on, IPv4")
	return command
}
