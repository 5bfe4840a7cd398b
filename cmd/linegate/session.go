package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"linegate"
	"linegate/store"
)

func newSessionCommand(c *cli) *cobra.Command {
	return newGroup("session", "See who is and was online", []string{"sessions"}, newSessionListCommand(c))
}

func newSessionListCommand(c *cli) *cobra.Command {
	var filter store.SessionFilter
	var vlan uint16
	command := &cobra.Command{
		Use:   "list",
		Short: "List sessions, newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if vlan > uint16(linegate.MaxVLAN) || vlan == 0 && cmd.Flags().Changed("vlan") {
				return fmt.Errorf("--vlan: %q is not allowed: 1 to %d", fmt.Sprint(vlan), linegate.MaxVLAN)
			}
			if filter.Limit < 0 {
				return fmt.Errorf("--limit: %q is not allowed: 0 or more", fmt.Sprint(filter.Limit))
			}
			return c.withTenant(cmd.Context(), func(engine store.Engine, tenant string) error {
				filter.Tenant, filter.VLAN = tenant, linegate.VLAN(vlan)
				rows := newListing(cmd.OutOrStdout(), c.output, "tenant", "nas", "username", "service_vlan", "framed_ipv4",
					"started_at", "stopped_at", "session_time", "input_octets", "output_octets")
				err := engine.EachSession(cmd.Context(), filter, func(s *linegate.Session) error { return rows.add(sessionRecord(s)) })
				if err != nil {
					return err
				}
				return rows.close()
			})
		},
	}
	flags := command.Flags()
	flags.BoolVar(&filter.Active, "active", false, "only those that are open")
	flags.StringVar(&filter.UserName, "user", "", "only those of this username")
	flags.StringVar(&filter.NAS, "nas", "", "only those on the NAS with this name")
	flags.Uint16Var(&vlan, "vlan", 0, "only those on this service VLAN, 1 to 4094")
	flags.IntVar(&filter.Limit, "limit", 0, "at most so many; 0: all")
	completeFlag(command, "user", c.completeUsername)
	completeFlag(command, "nas", c.completeNAS)
	return command
}
