package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"linegate"
	"linegate/cmd/linegate/config"
	"linegate/policy"
	"linegate/policy/dialect"
	"linegate/store"
)

// loadDialects loads the shipped dialects and the operator's own.
func loadDialects(cfg config.Config) (map[string]*dialect.Dialect, error) {
	return dialect.Load(cfg.VendorPEN, cfg.Dialects)
}

// expressible tells whether a tenant's NAS can be told everything that a profile
// grants. It knows the NAS by what they speak: each dialect is asked once.
type expressible struct {
	dialects map[string]*dialect.Dialect
	spoken   map[string]map[string]bool // names of dialects, by tenant
}

// newExpressible looks at the NAS of the store, of one tenant or of all.
func newExpressible(ctx context.Context, engine store.Engine, cfg config.Config, tenant string) (*expressible, error) {
	dialects, err := loadDialects(cfg)
	if err != nil {
		return nil, err
	}
	nases, err := engine.NASes(ctx, tenant)
	if err != nil {
		return nil, err
	}
	e := &expressible{dialects: dialects, spoken: map[string]map[string]bool{}}
	for _, nas := range nases {
		e.add(nas.Tenant, nas.Dialect)
	}
	return e, nil
}

// add notes that a NAS of the tenant speaks a dialect; empty: the default.
func (e *expressible) add(tenant, name string) {
	if name == "" {
		name = linegate.DefaultDialect
	}
	if e.spoken[tenant] == nil {
		e.spoken[tenant] = map[string]bool{}
	}
	e.spoken[tenant][name] = true
}

// check returns linegate.FieldErrors for what a NAS of the tenant can't be told of
// the profile, in service or in its walled garden; nil: there is nothing.
func (e *expressible) check(subscriber *linegate.Subscriber) error {
	if subscriber.Profile == nil {
		return nil
	}
	service, garden := grantsOf(subscriber)
	var bad linegate.FieldErrors
	for _, name := range slices.Sorted(maps.Keys(e.spoken[subscriber.Tenant])) {
		spoken := e.dialects[name]
		if spoken == nil {
			continue // the server leaves such a NAS out and says so
		}
		bad = append(bad, spoken.Check(&service, false)...)
		if garden != nil {
			bad = append(bad, spoken.Check(garden, true)...)
		}
		if subscriber.Profile.CheckVLAN == linegate.Option82Enforce && !spoken.TellsVLANs() {
			bad = append(bad, &linegate.FieldError{Field: "check_vlan", Value: string(subscriber.Profile.CheckVLAN),
				Allowed: fmt.Sprintf("dialect %s tells no VLAN, so everybody would be rejected", name)})
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return distinct(bad)
}

// distinct leaves out what several dialects say in the same words.
func distinct(bad linegate.FieldErrors) (once linegate.FieldErrors) {
	for _, field := range bad {
		if !slices.ContainsFunc(once, func(seen *linegate.FieldError) bool { return *seen == *field }) {
			once = append(once, field)
		}
	}
	return once
}

// grantsOf returns what a subscriber gets in service, and in the walled garden; nil:
// there is none.
func grantsOf(subscriber *linegate.Subscriber) (service linegate.Grant, garden *linegate.Grant) {
	active := *subscriber
	active.Status = linegate.StatusActive
	_, service = policy.Grant(linegate.Facts{Subscriber: &active, FoundBy: linegate.ByUsername}, linegate.Settings{})
	if subscriber.Profile.WalledGarden.Offered() {
		suspended := *subscriber
		suspended.Status = linegate.StatusSuspended
		_, walled := policy.Grant(linegate.Facts{Subscriber: &suspended, FoundBy: linegate.ByUsername}, linegate.Settings{})
		garden = &walled
	}
	return service, garden
}
