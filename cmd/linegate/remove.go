package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"linegate"
	"linegate/store"
)

// remove deletes one thing, after asking when a person sits at the terminal.
func (c *cli) remove(cmd *cobra.Command, engine store.Engine, kind, name string, yes bool, fn func(store.Tx) error) error {
	if !yes && !confirmed(cmd, "delete "+kind+" "+name) {
		return fmt.Errorf("%s %s: not deleted", kind, name)
	}
	if err := engine.Update(cmd.Context(), actor(), fn); err != nil {
		return withHint(err, kind)
	}
	return c.showChange(cmd, "name", name, linegate.Deleted, nil)
}

// withHint says where to look for the right name after an error about a wrong one.
func withHint(err error, kind string) error {
	if errors.Is(err, linegate.ErrNotFound) {
		return fmt.Errorf("%w; `linegate %s list` shows those there are", err, kind)
	}
	return err
}

func addYesFlag(command *cobra.Command, yes *bool) {
	command.Flags().BoolVarP(yes, "yes", "y", false, "do not ask (never asked when standard input is no terminal)")
}

// confirmed asks a person; a script is taken to mean what it says.
func confirmed(cmd *cobra.Command, action string) bool {
	if !isTerminal(cmd.InOrStdin()) {
		return true
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s? [y/N] ", action)
	answer, _ := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	return strings.EqualFold(strings.TrimSpace(answer), "y")
}
