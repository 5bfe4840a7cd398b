package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"linegate"
	"linegate/store"
)

// flagName is the flag for a property: dashes instead of underscores.
func flagName(property string) string { return strings.ReplaceAll(property, "_", "-") }

// addFieldFlag adds the flag for a property. Where the property takes one of a few
// words, the shell completes them.
func addFieldFlag(command *cobra.Command, property, allowed string) {
	name := flagName(property)
	command.Flags().String(name, "", allowed)
	words := strings.Split(allowed, ", ")
	if slices.ContainsFunc(words, func(word string) bool { return strings.Contains(word, " ") }) {
		words = nil
	}
	completeFlag(command, name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// completeFlag sets how the shell completes a flag's value. That fails only for a
// flag that does not exist.
func completeFlag(command *cobra.Command, name string, fn cobra.CompletionFunc) {
	_ = command.RegisterFlagCompletionFunc(name, fn)
}

// mostCompletions bounds what the shell is offered.
const mostCompletions = 200

var errEnough = errors.New("enough completions")

// complete offers the names that start as typed, of those that each passes on.
func (c *cli) complete(ctx context.Context, start string, each func(store.Engine, func(name string) error) error) ([]string, cobra.ShellCompDirective) {
	var names []string
	err := c.withStore(ctx, func(engine store.Engine) error {
		return each(engine, func(name string) error {
			if strings.HasPrefix(name, start) {
				names = append(names, name)
			}
			if len(names) == mostCompletions {
				return errEnough
			}
			return nil
		})
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// only restricts a completion to the one argument a command takes.
func only(fn cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return fn(cmd, args, start)
	}
}

func (c *cli) completeUsername(cmd *cobra.Command, _ []string, start string) ([]string, cobra.ShellCompDirective) {
	return c.complete(cmd.Context(), start, func(engine store.Engine, offer func(string) error) error {
		return engine.EachSubscriber(cmd.Context(), c.tenant, func(s *linegate.Subscriber) error { return offer(s.Username) })
	})
}

func (c *cli) completeNAS(cmd *cobra.Command, _ []string, start string) ([]string, cobra.ShellCompDirective) {
	return c.complete(cmd.Context(), start, func(engine store.Engine, offer func(string) error) error {
		all, err := engine.NASes(cmd.Context(), c.tenant)
		for _, nas := range all {
			if err := offer(nas.Name); err != nil {
				return err
			}
		}
		return err
	})
}

func (c *cli) completeTenant(cmd *cobra.Command, _ []string, start string) ([]string, cobra.ShellCompDirective) {
	return c.complete(cmd.Context(), start, func(engine store.Engine, offer func(string) error) error {
		names, err := tenantNames(cmd.Context(), engine)
		for _, name := range names {
			if err := offer(name); err != nil {
				return err
			}
		}
		return err
	})
}
