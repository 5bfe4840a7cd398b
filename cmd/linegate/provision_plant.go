package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"linegate"
	"linegate/cmd/linegate/config"
	"linegate/coa"
	"linegate/provisioning"
	"linegate/provisioning/netbox"
	"linegate/provisioning/voltha"
	"linegate/store"
)

// plant is everything that orders work on, as the configuration names it. Nothing of
// it is asked before the first order.
type plant struct {
	provisioning.Options
	cfg    config.Config
	engine store.Engine
	book   store.Book
	netbox *netbox.Client // nil: none
	onus   voltha.Client  // nil: none
}

// newPlant wires what the configuration names. Live sessions are not told of
// anything unless Changes is set.
func newPlant(cfg config.Config, engine store.Engine, sealer *store.Sealer, logger *slog.Logger) (*plant, error) {
	book, able := engine.(store.Book)
	if !able {
		return nil, fmt.Errorf("store %s: it can't keep orders", storeName(cfg.Store))
	}
	settings := cfg.Provisioning
	p := &plant{cfg: cfg, engine: engine, book: book}
	p.Options = provisioning.Options{
		Database: workflowsIn(cfg), Profiles: profileStore{engine}, Book: book, Sealer: sealer, Parallel: settings.Parallel,
		Flags:  func(tenant string) provisioning.Flags { return provisioning.Flags(settings.FeaturesOf(tenant)) },
		Timing: provisioning.Timing{Quarantine: settings.Quarantine, CPEExpiry: cfg.GenieACS.Expiry, Poll: orderPoll},
		Log:    slog.New(slog.DiscardHandler),
	}
	var err error
	if p.netbox, err = openNetBox(settings.NetBox); err != nil {
		return nil, err
	}
	if p.netbox != nil {
		p.Addresses = p.netbox
	}
	if p.CPE, err = openCPE(cfg.GenieACS, logger); err != nil {
		return nil, err
	}
	if p.onus, err = openONUs(cfg.VOLTHA, logger); err != nil {
		return nil, err
	}
	if p.onus != nil {
		p.ONU = p.onus
	}
	return p, nil
}

func (p *plant) close() error {
	if p.onus == nil {
		return nil
	}
	return p.onus.Close()
}

// servicesOnONUs returns what is to be in force on ONUs, and by its id the service
// that each belongs to.
func (p *plant) servicesOnONUs(ctx context.Context) (wanted []linegate.ONUService, services map[string]linegate.Service, err error) {
	services = map[string]linegate.Service{}
	err = p.book.Services(ctx, "", func(service linegate.Service) error {
		if provisioning.OnONU(service) {
			wanted = append(wanted, *service.Metadata.ONU)
			services[service.Metadata.ONU.ID] = service
		}
		return nil
	})
	return wanted, services, err
}

// orderPoll is how often a process looks for orders.
const orderPoll = 200 * time.Millisecond

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

// works is what a command about orders has.
type works struct {
	desk *provisioning.Desk
	*plant
}

// withPlant runs fn with what the configuration wires, and carries nothing out.
func (c *cli) withPlant(ctx context.Context, fn func(*plant) error) error {
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
	p, err := newPlant(cfg, engine, sealer, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return errors.Join(fn(p), p.close())
}

// withWorks runs fn with the store's orders at hand. Where no other process carries
// orders out, this one does until fn returns.
func (c *cli) withWorks(ctx context.Context, fn func(works) error) error {
	return c.withPlant(ctx, func(p *plant) error {
		for until := time.Now().Add(deskPatience); ; wait(ctx, orderPoll) {
			held, release, err := becomeExecutor(ctx, p.cfg)
			if err != nil {
				return err
			}
			if held != nil {
				return errors.Join(p.carryOut(held, fn), release())
			}
			// A process that has just begun may not have made its tables yet.
			desk, err := p.openDesk(ctx)
			if err == nil {
				return errors.Join(fn(works{desk, p}), desk.Close())
			}
			if time.Now().After(until) || ctx.Err() != nil {
				return err
			}
		}
	})
}

// deskPatience is how long the process that carries orders out may take to begin.
const deskPatience = 30 * time.Second

// withDesk runs fn with a look at the orders. It carries none out, unless there
// never was one: then it makes the tables.
func (c *cli) withDesk(ctx context.Context, fn func(works) error) error {
	var absent bool
	err := c.withPlant(ctx, func(p *plant) error {
		desk, err := p.openDesk(ctx)
		if absent = err != nil; absent {
			return err
		}
		return errors.Join(fn(works{desk, p}), desk.Close())
	})
	if absent {
		return c.withWorks(ctx, fn)
	}
	return err
}

func (p *plant) openDesk(ctx context.Context) (*provisioning.Desk, error) {
	return provisioning.OpenDesk(ctx, p.Database, p.Book, p.Sealer)
}

// carryOut runs fn while this process carries orders out.
func (p *plant) carryOut(ctx context.Context, fn func(works) error) error {
	return withSender(ctx, p.cfg, p.engine, "", func(sender *coa.Sender) error {
		settings := p.cfg.Policy
		p.Changes = &orderChanges{engine: p.engine, settings: func() linegate.Settings { return settings }, changer: sender}
		engine, err := provisioning.Open(context.WithoutCancel(ctx), p.Options)
		if err != nil {
			return err
		}
		return errors.Join(fn(works{engine.Desk, p}), engine.Close())
	})
}
