//go:build !linux

package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// newBenchPeersCommand needs /proc and Debian's packages.
func newBenchPeersCommand(*cli) *cobra.Command {
	return &cobra.Command{
		Use: "peers", Hidden: true, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return errors.New("bench peers: it needs Linux") },
	}
}
