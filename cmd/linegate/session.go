package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"linegate"
	"linegate/store"
)

func newSessionCommand(c *cli) *cobra.Command {
	return newGroup("session", "See who is and was online", []string{"sessions"}, newSessionListCommand(c), newSessionShowCommand(c))
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
				causes, err := readCauseNames()
				if err != nil {
					return err
				}
				filter.Tenant, filter.VLAN = tenant, linegate.VLAN(vlan)
				rows := newListing(cmd.OutOrStdout(), c.output, "nas", "acct_session_id", "username", "service_vlan", "framed_ipv4",
					"started_at", "stopped_at", "session_time", "input_octets", "output_octets", "terminate_cause")
				err = engine.EachSession(cmd.Context(), filter, func(s *linegate.Session) error { return rows.add(sessionRecord(s, causes)) })
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

func newSessionShowCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show all of one session",
		Long: "Show all that is known of one session. ID is the session's own, or the Acct-Session-Id that the NAS\n" +
			"gave it; where several have that one, they are listed with their own.",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: only(c.completeSession),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withTenant(cmd.Context(), func(engine store.Engine, tenant string) error {
				causes, err := readCauseNames()
				if err != nil {
					return err
				}
				session, err := findSession(cmd.Context(), engine, tenant, args[0])
				if err != nil {
					return err
				}
				return show(cmd.OutOrStdout(), c.output, sessionRecord(session, causes))
			})
		},
	}
}

// mostCandidates is how many sessions of one Acct-Session-Id are listed.
const mostCandidates = 10

// findSession finds the one session that has the id, its own or the NAS's.
func findSession(ctx context.Context, engine store.Engine, tenant, id string) (*linegate.Session, error) {
	var found []*linegate.Session
	for _, filter := range []store.SessionFilter{{ID: id}, {AcctSessionID: id}} {
		filter.Tenant, filter.Limit = tenant, mostCandidates+1
		if len(found) > 0 || id == "" {
			break
		}
		err := engine.EachSession(ctx, filter, func(s *linegate.Session) error {
			found = append(found, s)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("session %q: %w; `linegate session list` shows them", id, linegate.ErrNotFound)
	case 1:
		return found[0], nil
	}
	return nil, fmt.Errorf("session %q: several have this Acct-Session-Id; show one by its own id:\n%s", id, candidates(found))
}

// candidates lists sessions, newest first, a line each.
func candidates(sessions []*linegate.Session) string {
	var lines []string
	for i, s := range sessions {
		if i == mostCandidates {
			lines = append(lines, "  and older ones")
			break
		}
		state := "open"
		if !s.Open() {
			state = "until " + cell(s.StoppedAt)
		}
		lines = append(lines, fmt.Sprintf("  %s  %s on %s, from %s, %s", s.ID, cell(s.UserName), s.NAS.Name, s.StartedAt.UTC().Format(time.RFC3339), state))
	}
	return strings.Join(lines, "\n")
}

func (c *cli) completeSession(cmd *cobra.Command, _ []string, start string) ([]string, cobra.ShellCompDirective) {
	return c.complete(cmd.Context(), start, func(engine store.Engine, offer func(string) error) error {
		filter := store.SessionFilter{Tenant: c.tenant, Active: true}
		return engine.EachSession(cmd.Context(), filter, func(s *linegate.Session) error { return offer(s.AcctSessionID) })
	})
}
