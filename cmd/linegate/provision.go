package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"linegate"
	"linegate/cmd/linegate/config"
	"linegate/provisioning"
	"linegate/provisioning/genieacs"
	"linegate/provisioning/netbox"
	"linegate/provisioning/voltha"
	"linegate/store"
)

func newProvisionCommand(c *cli) *cobra.Command {
	return newGroup("provision", "Set services up, change them, and take them down", nil,
		newProvisionSubscriberCommand(c), newProvisionImportCommand(c), newProvisionListCommand(c), newProvisionShowCommand(c),
		newProvisionDecideCommand(c, "retry ID", "Try the step again that an order is stuck at", (*provisioning.Desk).Retry),
		newProvisionDecideCommand(c, "cancel ID", "Make an order that is under way undo itself", (*provisioning.Desk).Cancel),
		newProvisionDecideCommand(c, "give-up ID", "Leave out the step that an order is stuck at, for good", (*provisioning.Desk).GiveUp),
		newProvisionResumeCommand(c), newProvisionReconcileCommand(c))
}

// works is what a command about orders has: the desk, and the engine where this
// process is the one that carries orders out.
type works struct {
	desk    *provisioning.Desk
	options provisioning.Options
	here    bool // orders are carried out in this process
}

// withWorks runs fn with the store's orders at hand. Where no other process carries
// orders out, this one does until fn returns.
func (c *cli) withWorks(ctx context.Context, fn func(works) error) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	if err := requireStore(cfg); err != nil {
		return err
	}
	engine, sealer, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer engine.Close() // the error of fn counts
	if err := checkStore(ctx, engine); err != nil {
		return fmt.Errorf("store %s: %w", storeName(cfg.Store), err)
	}
	options, err := provisioningOptions(cfg, engine, sealer)
	if err != nil {
		return err
	}
	release, held, err := becomeExecutor(ctx, cfg)
	if err != nil {
		return err
	}
	if held {
		return errors.Join(carryOut(ctx, options, fn), release())
	}
	desk, err := provisioning.OpenDesk(ctx, options.Database, options.Book, options.Sealer)
	if err != nil {
		return err
	}
	return errors.Join(fn(works{desk: desk, options: options}), desk.Close())
}

func carryOut(ctx context.Context, options provisioning.Options, fn func(works) error) error {
	engine, err := provisioning.Open(context.WithoutCancel(ctx), options)
	if err != nil {
		return err
	}
	return errors.Join(fn(works{desk: engine.Desk, options: options, here: true}), engine.Close())
}

// provisioningOptions wires what the configuration names.
func provisioningOptions(cfg config.Config, engine store.Engine, sealer *store.Sealer) (provisioning.Options, error) {
	book, able := engine.(store.Book)
	if !able {
		return provisioning.Options{}, fmt.Errorf("store %s: it can't keep orders yet; use SQLite", storeName(cfg.Store))
	}
	p := cfg.Provisioning
	options := provisioning.Options{
		Database: workflowsIn(cfg), Profiles: profileStore{engine}, Book: book, Sealer: sealer, Parallel: p.Parallel,
		Flags:  func(tenant string) provisioning.Flags { return provisioning.Flags(p.FeaturesOf(tenant)) },
		Timing: provisioning.Timing{Quarantine: p.Quarantine, CPEExpiry: cfg.GenieACS.Expiry, Poll: orderPoll},
		Log:    slog.New(slog.DiscardHandler),
	}
	client, err := openNetBox(p.NetBox)
	if err != nil {
		return options, err
	}
	if client != nil {
		options.Addresses = client
	}
	return options, addEquipment(cfg, &options)
}

// addEquipment opens the systems that ONUs and CPE are set through, where they are
// configured. Neither is asked anything yet.
func addEquipment(cfg config.Config, options *provisioning.Options) error {
	if v := cfg.VOLTHA; v.Address != "" {
		onu, err := voltha.Open(voltha.Config{
			Backend: voltha.Backend(v.Backend), Address: v.Address, TLS: v.TLS, TechProfile: v.TechProfile, Ready: v.Ready, Verify: v.Verify, Settle: v.Settle,
		})
		if err != nil {
			return err
		}
		options.ONU = onu
	}
	if g := cfg.GenieACS; g.URL != "" {
		cpe, err := genieacs.Open(genieacs.Config{URL: g.URL, Username: g.Username, Password: g.Password, Token: g.Token, Models: g.Models, Expiry: g.Expiry})
		if err != nil {
			return err
		}
		options.CPE = cpe
	}
	return nil
}

// orderPoll is how often a process looks for orders.
const orderPoll = 200 * time.Millisecond

// openNetBox returns nil where none is configured.
func openNetBox(cfg config.NetBox) (*netbox.Client, error) {
	if cfg.URL == "" {
		return nil, nil
	}
	token, err := os.ReadFile(cfg.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("provisioning.netbox.token_file: %w", err)
	}
	options := netbox.Options{URL: cfg.URL, Token: linegate.Secret(strings.TrimSpace(string(token)))}
	for _, pool := range cfg.Pools {
		options.Pools = append(options.Pools, netbox.Pool(pool))
	}
	return netbox.New(options)
}

// profileStore is the subscribers of a store as orders use them.
type profileStore struct{ store.Engine }

func (p profileStore) PutSubscriber(ctx context.Context, actor string, s *linegate.Subscriber) error {
	return p.Update(ctx, actor, func(tx store.Tx) error { _, err := tx.PutSubscriber(s); return err })
}

func (p profileStore) DeleteSubscriber(ctx context.Context, actor, tenant, username string) error {
	err := p.Update(ctx, actor, func(tx store.Tx) error { return tx.DeleteSubscriber(tenant, username) })
	if errors.Is(err, linegate.ErrNotFound) {
		return nil
	}
	return err
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
			return c.withWorks(cmd.Context(), func(w works) error {
				if order.Tenant == "" {
					if order.Tenant, err = c.pickTenant(cmd.Context(), w.options.Profiles.(profileStore).Engine); err != nil {
						return err
					}
				}
				if dryRun {
					return c.preview(cmd, w, order)
				}
				return c.carryOutOne(cmd, w, order)
			})
		},
	}
	command.Flags().StringVarP(&path, "file", "f", "", "the order; - for standard input")
	command.Flags().BoolVar(&dryRun, "dry-run", false, "print what each system would be told, and tell nobody")
	_ = command.MarkFlagRequired("file")
	return command
}

func (c *cli) preview(cmd *cobra.Command, w works, order linegate.Order) error {
	lines, err := provisioning.Preview(cmd.Context(), w.options, order)
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
			return c.withWorks(cmd.Context(), func(w works) error {
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
			return c.withWorks(cmd.Context(), func(w works) error {
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
		Short: "Compare NetBox with the book of allocations, and free what its quarantine is over for",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withWorks(cmd.Context(), func(w works) error {
				found, err := provisioning.Reconcile(cmd.Context(), w.options, repair)
				rows := newListing(cmd.OutOrStdout(), c.output, "key", "prefix", "problem", "repaired")
				for _, f := range found {
					err = errors.Join(err, rows.add(record{{"key", f.Key}, {"prefix", f.Prefix}, {"problem", f.Problem}, {"repaired", f.Repaired}}))
				}
				return errors.Join(err, rows.close())
			})
		},
	}
	command.Flags().BoolVar(&repair, "repair", false, "mend what is safe to mend; else only report")
	return command
}
