package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"linegate"
	"linegate/provisioning"
)

func newProvisionCommand(c *cli) *cobra.Command {
	return newGroup("provision", "Set services up, change them, and take them down", nil,
		newProvisionSubscriberCommand(c), newProvisionImportCommand(c), newProvisionListCommand(c), newProvisionShowCommand(c),
		newProvisionDecideCommand(c, "retry ID", "Try the step again that an order is stuck at", (*provisioning.Desk).Retry),
		newProvisionDecideCommand(c, "cancel ID", "Make an order that is under way undo itself", (*provisioning.Desk).Cancel),
		newProvisionDecideCommand(c, "give-up ID", "Leave out the step that an order is stuck at, for good", (*provisioning.Desk).GiveUp),
		newProvisionResumeCommand(c), newProvisionReconcileCommand(c))
}

func newProvisionSubscriberCommand(c *cli) *cobra.Command {
	var path string
	var dryRun bool
	command := &cobra.Command{
		Use:   "subscriber -f ORDER.yaml",
		Short: "Carry out one order: provision, change, suspend, resume or deprovision",
		Long: "Carry out the order in a YAML file and wait until it is done, undone or stuck. An order given again,\n" +
			"with the same key, is not done again. It ends with status 1 unless everything is as ordered.",
		Example: "  linegate provision subscriber -f testdata/order.yaml --dry-run",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			order, err := readOrder(cmd.InOrStdin(), path, c.tenant)
			if err != nil {
				return err
			}
			if dryRun {
				return c.withPlant(cmd.Context(), func(p *plant) error { return c.preview(cmd, p, order) })
			}
			return c.withWorks(cmd.Context(), func(w works) error { return c.carryOutOne(cmd, w, order) })
		},
	}
	command.Flags().StringVarP(&path, "file", "f", "", "the order; - for standard input")
	command.Flags().BoolVar(&dryRun, "dry-run", false, "print what each system would be told, and tell nobody")
	_ = command.MarkFlagRequired("file")
	return command
}

// placed fills in the tenant where the order names none.
func (c *cli) placed(ctx context.Context, p *plant, order *linegate.Order) (err error) {
	if order.Tenant == "" {
		order.Tenant, err = c.pickTenant(ctx, p.engine)
	}
	return err
}

func (c *cli) preview(cmd *cobra.Command, p *plant, order linegate.Order) error {
	if err := c.placed(cmd.Context(), p, &order); err != nil {
		return err
	}
	lines, err := provisioning.Preview(cmd.Context(), p.Options, order)
	if err != nil {
		return err
	}
	rows := newListing(cmd.OutOrStdout(), c.output, "system", "text")
	for _, line := range lines {
		if err := rows.add(record{{"system", line.System}, {"text", line.Text}}); err != nil {
			return err
		}
	}
	return rows.close()
}

func (c *cli) carryOutOne(cmd *cobra.Command, w works, order linegate.Order) error {
	if err := c.placed(cmd.Context(), w.plant, &order); err != nil {
		return err
	}
	id, err := w.desk.Submit(cmd.Context(), order)
	if err != nil {
		return err
	}
	standing, err := w.desk.Await(cmd.Context(), id)
	if err != nil {
		return err
	}
	if err := show(cmd.OutOrStdout(), c.output, standingRecord(standing)); err != nil {
		return err
	}
	return unlessDone(standing)
}

// unlessDone is the error of an order that did not end as ordered.
func unlessDone(standing provisioning.Standing) error {
	switch standing.State {
	case linegate.OrderDone:
		return nil
	case linegate.OrderStuck:
		return fmt.Errorf("order %s is stuck: %s; `linegate provision show %s` tells more, `retry`, `cancel` and `give-up` decide", standing.ID, standing.Stuck, standing.ID)
	}
	return fmt.Errorf("order %s is %s: %s", standing.ID, standing.State, standing.Result.Error)
}

// standingRecord is all that an operator may see of an order.
func standingRecord(s provisioning.Standing) record {
	r := s.Result
	return record{
		{"id", s.ID}, {"kind", s.Order.Kind}, {"tenant", s.Order.Tenant}, {"username", s.Order.Username}, {"state", s.State},
		{"stuck", s.Stuck}, {"error", r.Error}, {"service_id", r.ServiceID},
		{"ipv4_address", r.IPv4}, {"ipv6_address", r.IPv6}, {"ipv6_prefix", r.FramedIPv6Prefix}, {"ipv6_delegated_prefix", r.DelegatedIPv6Prefix},
		{"ipv6_assignment_mode", r.IPv6Mode}, {"service_vlan", r.ServiceVLAN}, {"inner_vlan", r.InnerVLAN}, {"qinq_enabled", r.QinQEnabled},
		{"source", r.Source}, {"netbox_ip_id", netBoxID(r.NetBoxIPID)}, {"warnings", r.Warnings}, {"left", r.Left},
		{"begun_at", s.Begun}, {"updated_at", s.Updated},
	}
}

func netBoxID(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

func newProvisionListCommand(c *cli) *cobra.Command {
	var limit int
	command := &cobra.Command{
		Use:   "list",
		Short: "List orders, newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withDesk(cmd.Context(), func(w works) error {
				standings, err := w.desk.List(cmd.Context(), c.tenant, limit)
				if err != nil {
					return err
				}
				rows := newListing(cmd.OutOrStdout(), c.output, "id", "kind", "username", "state", "stuck", "error", "begun_at")
				for _, standing := range standings {
					if err := rows.add(standingRecord(standing)); err != nil {
						return err
					}
				}
				return rows.close()
			})
		},
	}
	command.Flags().IntVar(&limit, "limit", 100, "at most so many, 1 or more")
	return command
}

func newProvisionShowCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show how an order stands, with the steps that were made",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withDesk(cmd.Context(), func(w works) error {
				standing, err := w.desk.Show(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if c.output != formatTable {
					steps := make([]record, len(standing.Steps))
					for i, step := range standing.Steps {
						steps[i] = stepRecord(step)
					}
					return show(cmd.OutOrStdout(), c.output, append(standingRecord(standing), property{"steps", steps}))
				}
				if err := show(cmd.OutOrStdout(), c.output, standingRecord(standing)); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout())
				rows := newListing(cmd.OutOrStdout(), c.output, "step", "error", "completed_at")
				for _, step := range standing.Steps {
					if err := rows.add(stepRecord(step)); err != nil {
						return err
					}
				}
				return rows.close()
			})
		},
	}
}

func stepRecord(step provisioning.StepRecord) record {
	return record{{"step", step.Name}, {"error", step.Error}, {"began_at", step.Began}, {"completed_at", step.Completed}}
}

// newProvisionDecideCommand is a command that decides about one order. Where this
// process carries orders out, it waits for what comes of it.
func newProvisionDecideCommand(c *cli, use, short string, decide func(*provisioning.Desk, context.Context, string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withWorks(cmd.Context(), func(w works) error {
				before, err := w.desk.Show(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if err := decide(w.desk, cmd.Context(), args[0]); err != nil {
					return err
				}
				standing, err := w.desk.AwaitAfter(cmd.Context(), args[0], len(before.Steps))
				if err != nil {
					return err
				}
				return show(cmd.OutOrStdout(), c.output, standingRecord(standing))
			})
		},
	}
}

func newProvisionResumeCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "resume",
		Short: "Go on with what a process that is gone left under way",
		Long: "Go on with the orders that a process left under way when it ended or was killed, and wait until none\n" +
			"is. A running server does that by itself.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withWorks(cmd.Context(), func(w works) error {
				rows := newListing(cmd.OutOrStdout(), c.output, "id", "kind", "username", "state", "stuck", "error")
				open, err := w.desk.Open(cmd.Context(), c.tenant)
				if err != nil {
					return err
				}
				for _, id := range open {
					standing, err := w.desk.Await(cmd.Context(), id)
					if err == nil {
						err = rows.add(standingRecord(standing))
					}
					if err != nil {
						return err
					}
				}
				return rows.close()
			})
		},
	}
}

func newProvisionReconcileCommand(c *cli) *cobra.Command {
	var repair bool
	command := &cobra.Command{
		Use:   "reconcile",
		Short: "Compare NetBox and VOLTHA with what is booked, and free what its quarantine is over for",
		Long: "Compare NetBox with the book of allocations, and the flows of ONUs with the services on them. What NetBox\n" +
			"has too much is released with --repair; what VOLTHA lost, a running server puts back by itself.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withPlant(cmd.Context(), func(p *plant) error {
				found, err := p.differences(cmd.Context(), repair)
				rows := newListing(cmd.OutOrStdout(), c.output, "key", "prefix", "problem", "repaired")
				for _, f := range found {
					err = errors.Join(err, rows.add(record{{"key", f.Key}, {"prefix", f.Prefix}, {"problem", f.Problem}, {"repaired", f.Repaired}}))
				}
				return errors.Join(err, rows.close())
			})
		},
	}
	command.Flags().BoolVar(&repair, "repair", false, "mend what is safe to mend in NetBox; else only report")
	return command
}

// differences compares every system that is configured with what is booked.
func (p *plant) differences(ctx context.Context, repair bool) (found []linegate.Finding, err error) {
	if p.netbox != nil || p.onus == nil { // without either the error tells
		if found, err = provisioning.Reconcile(ctx, p.Options, repair); err != nil || p.onus == nil {
			return found, err
		}
	}
	wanted, _, err := p.servicesOnONUs(ctx)
	if err != nil {
		return found, err
	}
	checked, err := p.onus.Check(ctx, wanted)
	if err != nil {
		return found, err
	}
	for i, seen := range checked {
		switch service := wanted[i]; {
		case seen.Absent:
			found = append(found, linegate.Finding{Key: service.ID, Problem: "ONU " + service.Serial + " is off or unknown: " + seen.Detail})
		case !seen.Installed:
			found = append(found, linegate.Finding{Key: service.ID, Problem: "not in force on ONU " + service.Serial + ": " + seen.Detail})
		}
	}
	return found, nil
}
