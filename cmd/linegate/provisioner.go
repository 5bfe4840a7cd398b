package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"linegate"
	"linegate/cmd/linegate/config"
	"linegate/provisioning"
	"linegate/provisioning/netbox"
	"linegate/provisioning/voltha"
	"linegate/store"
	"linegate/telemetry"
)

// provisioner carries orders out within a server, whenever no other process does.
type provisioner struct {
	*plant
	daemon *daemon
	orders *telemetry.Orders
	// unmirrored is what NetBox refused the last time, which is told once.
	unmirrored []string
}

// configured reports whether there is anything that orders could reach or come from.
func configured(cfg config.Config) bool {
	return cfg.API.Address != "" || cfg.Provisioning.NetBox.URL != "" || cfg.VOLTHA.Address != "" || cfg.GenieACS.URL != ""
}

func newProvisioner(ctx context.Context, d *daemon, engine store.Engine) (*provisioner, error) {
	plant, err := newPlant(d.cfg, engine, d.sealer, d.logger.Logger)
	if err != nil {
		return nil, err
	}
	p := &provisioner{plant: plant, daemon: d, orders: d.metrics.Orders(context.WithoutCancel(ctx), d.logger.Logger)}
	p.Observer = p.orders
	p.Changes = &orderChanges{engine: d.engine, settings: func() linegate.Settings { return *d.live.settings.Load() }, changer: d.live.sender}
	return p, nil
}

const (
	executorRetry = 5 * time.Second
	poolInterval  = time.Minute // how old the gauges of pools may be
	tidyInterval  = 10 * time.Minute
)

// run carries orders out until ctx ends.
func (p *provisioner) run(ctx context.Context) {
	defer func() {
		if err := p.close(); err != nil {
			p.daemon.logger.Warn("provisioning", "error", err.Error())
		}
	}()
	for ctx.Err() == nil {
		if err := p.turn(ctx); err != nil && ctx.Err() == nil {
			p.daemon.logger.Warn("orders are not carried out for now", "error", err.Error())
		}
		wait(ctx, executorRetry)
	}
}

// turn carries orders out while this process is the one that does, and returns at
// once when another is.
func (p *provisioner) turn(ctx context.Context) error {
	held, release, err := becomeExecutor(ctx, p.daemon.cfg)
	if err != nil || held == nil {
		return err
	}
	engine, err := provisioning.Open(context.WithoutCancel(ctx), p.Options)
	if err != nil {
		return errors.Join(err, release())
	}
	p.daemon.logger.Info("orders are carried out here")
	var beside sync.WaitGroup
	if p.onus != nil {
		beside.Go(func() { p.onuKeeper(engine).Run(held) })
	}
	for tidied := time.Now(); held.Err() == nil; wait(held, poolInterval) {
		p.measure(held)
		p.mirror(held)
		if time.Since(tidied) >= tidyInterval && p.netbox != nil {
			p.tidy(held)
			tidied = time.Now()
		}
	}
	beside.Wait()
	return errors.Join(context.Cause(held), engine.Close(), release())
}

// onuKeeper puts services back on ONUs that VOLTHA lost.
func (p *provisioner) onuKeeper(engine *provisioning.Engine) *voltha.Keeper {
	var services map[string]linegate.Service // of the sweep that is under way
	return &voltha.Keeper{
		Client: p.onus, Every: p.cfg.VOLTHA.CheckEvery, Logger: p.daemon.logger.Logger,
		Wanted: func(ctx context.Context) (wanted []linegate.ONUService, err error) {
			wanted, services, err = p.servicesOnONUs(ctx)
			return wanted, err
		},
		Repair: func(ctx context.Context, wanted linegate.ONUService) error {
			service := services[wanted.ID]
			err := engine.RestoreONU(ctx, service)
			if !errors.Is(err, linegate.ErrConflict) {
				p.orders.ONURepaired(service.Tenant, err == nil)
			}
			return err
		},
	}
}

// measure reads how full the pools are. Each call to NetBox takes as long as the
// pool has children, so it is not left to the scrape.
func (p *provisioner) measure(ctx context.Context) {
	if uses, err := p.book.VLANUse(ctx); err == nil {
		p.orders.SetVLANPools(uses)
	}
	if p.netbox == nil {
		return
	}
	usage, err := p.netbox.Usage(ctx)
	if err != nil {
		p.daemon.logger.Warn("pools for prefix delegation can't be read", "error", err.Error())
		return
	}
	for pool, info := range usage {
		p.orders.SetPrefixPool(pool.Tenant, pool.Prefix.String(), info.Available, info.Total)
	}
}

// mirror has NetBox show the VLAN pools, where that is wanted.
func (p *provisioner) mirror(ctx context.Context) {
	if p.netbox == nil || !p.cfg.Provisioning.NetBox.MirrorVLANs {
		return
	}
	vlans, err := p.vlans(ctx)
	var done netbox.Mirrored
	if err == nil {
		done, err = p.netbox.MirrorVLANs(ctx, vlans)
	}
	if err != nil {
		p.daemon.logger.Warn("VLAN pools can't be mirrored to NetBox", "error", err.Error())
		return
	}
	if done.Made+done.Changed+done.Removed > 0 {
		p.daemon.logger.Info("VLAN pools were mirrored to NetBox", "made", done.Made, "changed", done.Changed, "removed", done.Removed)
	}
	for _, problem := range done.Problems {
		if !slices.Contains(p.unmirrored, problem) {
			p.daemon.logger.Warn("NetBox does not show the VLAN pools as they are", "problem", problem)
		}
	}
	p.unmirrored = done.Problems
}

// vlans reads the pools and what is assigned of them.
func (p *plant) vlans(ctx context.Context) (vlans netbox.VLANs, err error) {
	if vlans.Store, err = p.engine.ID(ctx); err != nil {
		return vlans, err
	}
	if vlans.Pools, err = p.book.VLANPools(ctx, ""); err != nil {
		return vlans, err
	}
	return vlans, p.book.VLANAssignments(ctx, "", func(a linegate.VLANAssignment) error {
		vlans.Assignments = append(vlans.Assignments, a)
		return nil
	})
}

// tidy frees what its quarantine is over for and tells of differences. What needs
// more is left to `linegate provision reconcile --repair`.
func (p *provisioner) tidy(ctx context.Context) {
	found, err := provisioning.Reconcile(ctx, p.Options, false)
	if err != nil {
		p.daemon.logger.Warn("NetBox can't be compared with the book", "error", err.Error())
	}
	for _, f := range found {
		p.daemon.logger.Warn("NetBox and the book differ", "key", f.Key, "prefix", f.Prefix, "problem", f.Problem, "repaired", f.Repaired)
	}
}
