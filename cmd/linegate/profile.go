package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"linegate"
	"linegate/store"
)

func newProfileCommand(c *cli) *cobra.Command {
	return newGroup("profile", "Manage subscribers and their network profiles", []string{"profiles"},
		newProfileListCommand(c),
		newProfileGetCommand(c),
		newProfileSetCommand(c),
		newProfileDeleteCommand(c),
		newProfileImportCommand(c),
		newProfileExportCommand(c),
		newProfileAuditCommand(c),
		newProfileCheckCommand(c),
	)
}

func newProfileListCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List subscribers",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withTenant(cmd.Context(), func(engine store.Engine, tenant string) error {
				fields := shownFields()
				rows := newListing(cmd.OutOrStdout(), c.output, "tenant", "username", "circuit_id", "remote_id",
					"option82_policy", "service_vlan", "inner_vlan", "static_ipv4", "ipv6_assignment_mode", "status", "last_validation_result")
				err := engine.EachSubscriber(cmd.Context(), tenant, func(s *linegate.Subscriber) error {
					return rows.add(subscriberRecord(s, fields))
				})
				if err != nil {
					return err
				}
				return rows.close()
			})
		},
	}
}

func newProfileGetCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:               "get NAME",
		Aliases:           []string{"show"},
		Short:             "Show everything about a subscriber but the password",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: only(c.completeUsername),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withTenant(cmd.Context(), func(engine store.Engine, tenant string) error {
				subscriber, err := engine.Subscriber(cmd.Context(), tenant, args[0])
				if err != nil {
					return withHint(err, "profile")
				}
				return show(cmd.OutOrStdout(), c.output, subscriberRecord(subscriber, shownFields()))
			})
		},
	}
}

func newProfileDeleteCommand(c *cli) *cobra.Command {
	var yes, push bool
	command := &cobra.Command{
		Use:               "delete NAME",
		Aliases:           []string{"remove"},
		Short:             "Delete a subscriber; the audit trail stays",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: only(c.completeUsername),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withTenant(cmd.Context(), func(engine store.Engine, tenant string) error {
				return c.thenPush(cmd, engine, push, func() error {
					return c.remove(cmd, engine, "profile", args[0], yes, func(tx store.Tx) error {
						return tx.DeleteSubscriber(tenant, args[0])
					})
				})
			})
		},
	}
	addYesFlag(command, &yes)
	addPushFlag(command, &push)
	return command
}

func newProfileAuditCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "audit NAME",
		Short: "Show who changed what of a subscriber, and when; oldest first",
		Args:  cobra.ExactArgs(1),
		// Deleted subscribers have a trail too, but only those there are complete.
		ValidArgsFunction: only(c.completeUsername),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withTenant(cmd.Context(), func(engine store.Engine, tenant string) error {
				entries, err := engine.Audit(cmd.Context(), tenant, args[0])
				if err == nil && len(entries) == 0 {
					err = fmt.Errorf("subscriber %q of tenant %s: audit trail %w", args[0], tenant, linegate.ErrNotFound)
				}
				if err != nil {
					return withHint(err, "profile")
				}
				rows := newListing(cmd.OutOrStdout(), c.output, "at", "actor", "outcome", "changes")
				for _, entry := range entries {
					if err := rows.add(auditRecord(entry)); err != nil {
						return err
					}
				}
				return rows.close()
			})
		},
	}
}

func auditRecord(entry linegate.AuditEntry) record {
	return record{
		{"revision", entry.Revision},
		{"at", entry.At},
		{"actor", entry.Actor},
		{"outcome", entry.Outcome},
		{"changes", emptyNotNil(entry.Changes)},
	}
}
