package provisioning

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"linegate"
)

// The steps that several workflows share. Each registers its way back before it
// goes forward.

func (s *story) look() (sight, error) {
	return do(s, inStore, "look at subscriber", func(ctx context.Context) (sight, error) {
		return s.engine.look(ctx, s.order)
	})
}

func (e *Engine) look(ctx context.Context, order linegate.Order) (sight, error) {
	o := e.options
	seen := sight{
		Flags:   o.Flags(order.Tenant),
		Present: presence{Addresses: o.Addresses != nil, ONU: o.ONU != nil, CPE: o.CPE != nil, Changes: o.Changes != nil},
	}
	subscriber, err := o.Profiles.Subscriber(ctx, order.Tenant, order.Username)
	if err != nil && !errors.Is(err, linegate.ErrNotFound) {
		return seen, err
	}
	if err == nil {
		seen.Subscriber = subscriber
	}
	service, err := o.Book.Service(ctx, order.Tenant, order.Username)
	if err != nil && !errors.Is(err, linegate.ErrNotFound) {
		return seen, err
	}
	if err == nil {
		seen.Service = &service
	}
	return seen, nil
}

// planCPE refuses what the CPE can't do before anything is allocated.
func (s *story) planCPE(p *setup) error {
	if p.cpe == nil {
		return nil
	}
	plan, err := do(s, inCPE, "plan", func(ctx context.Context) (linegate.CPEPlan, error) {
		return s.engine.options.CPE.Plan(ctx, p.wantedCPE())
	})
	if errors.Is(err, linegate.ErrUnsupported) && p.ipv4Only && p.subscriber.Profile.IPv6Mode != linegate.IPv6None {
		p.warnings = append(p.warnings, fmt.Sprintf("set up without IPv6: %v", err))
		p.withoutIPv6Claims()
		plan, err = do(s, inCPE, "plan without IPv6", func(ctx context.Context) (linegate.CPEPlan, error) {
			return s.engine.options.CPE.Plan(ctx, p.wantedCPE())
		})
	}
	if err != nil {
		return err
	}
	p.warnings = append(p.warnings, plan.Warnings...)
	return nil
}

// withoutIPv6Claims makes the order one of IPv4 alone before it allocates.
func (p *setup) withoutIPv6Claims() {
	kept := p.claims[:0:0]
	for _, claim := range p.claims {
		if !claim.Slot.IPv6() {
			kept = append(kept, claim)
		}
	}
	p.claims = kept
	p.dropIPv6()
}

// restore registers that the subscriber becomes again what it was.
func (s *story) restore(before *linegate.Subscriber) {
	profiles := s.engine.options.Profiles
	if before == nil {
		s.onUndo(inStore, "remove subscriber", func(ctx context.Context) error {
			return profiles.DeleteSubscriber(ctx, s.actor(), s.order.Tenant, s.order.Username)
		})
		return
	}
	s.onUndo(inStore, "restore subscriber", func(ctx context.Context) error {
		return profiles.PutSubscriber(ctx, s.actor(), before)
	})
}

// put stores a subscriber. The name says what for.
func (s *story) put(name string, subscriber *linegate.Subscriber) error {
	stored := subscriber.Clone() // later steps change what is pointed to
	_, err := do(s, inStore, name, func(ctx context.Context) (bool, error) {
		return true, s.engine.options.Profiles.PutSubscriber(ctx, s.actor(), stored)
	})
	return err
}

func (s *story) actor() string { return s.order.Actor + byOrder + s.id + ")" }

const byOrder = " (order "

// ByOrder reports whether what the actor wrote, by the audit trail, was written for
// an order.
func ByOrder(actor string) bool { return strings.Contains(actor, byOrder) }

// assignVLAN takes a VLAN of the pool that the order names.
func (s *story) assignVLAN(p *setup) error {
	if p.vlan == nil {
		return nil
	}
	book, wish := s.engine.options.Book, *p.vlan
	s.onUndo(inStore, "give VLAN back", func(ctx context.Context) error { return book.UnassignVLAN(ctx, wish.Key) })
	assigned, err := do(s, inStore, "assign VLAN", func(ctx context.Context) (linegate.VLANAssignment, error) {
		return book.AssignVLAN(ctx, wish)
	})
	if err != nil {
		return err
	}
	p.settle(assigned)
	return nil
}

// takeAddresses makes every claim: fixed addresses are associated, others are
// allocated and put into the profile.
func (s *story) takeAddresses(p *setup, flags Flags) error {
	for _, claim := range p.claims {
		if p.subscriber.Profile.IPv6Mode == linegate.IPv6None && claim.Slot.IPv6() {
			continue // an earlier part of IPv6 could not be had
		}
		if claim.Fixed.IsValid() && flags.StaticIPBypass {
			if err := s.takeStatic(p, claim); err != nil {
				return err
			}
			continue
		}
		if err := s.takeDynamic(p, claim); err != nil {
			return err
		}
	}
	return nil
}

// takeStatic tells that NetBox was skipped, and notes there whose the address is.
func (s *story) takeStatic(p *setup, claim linegate.AddressClaim) error {
	service := p.service
	if err := s.note("static "+string(claim.Slot)+" used, NetBox skipped", func() {
		s.engine.options.Observer.StaticIPUsed(service, claim.Fixed)
	}); err != nil {
		return err
	}
	addresses := s.engine.options.Addresses
	if addresses == nil {
		return nil
	}
	s.onUndo(inNetBox, "dissociate "+string(claim.Slot), func(ctx context.Context) error { return addresses.Dissociate(ctx, claim) })
	_, err := do(s, inNetBox, "associate "+string(claim.Slot), func(ctx context.Context) (bool, error) {
		return true, addresses.Associate(ctx, claim)
	})
	return err
}

// takeDynamic allocates. The intention is in our book before NetBox is asked, so
// that whatever happens then can be found again.
func (s *story) takeDynamic(p *setup, claim linegate.AddressClaim) error {
	s.onUndo(inNetBox, "release "+string(claim.Slot), func(ctx context.Context) error { return s.engine.release(ctx, claim) })
	held, err := do(s, inNetBox, "allocate "+string(claim.Slot), func(ctx context.Context) (linegate.Allocation, error) {
		return s.engine.allocate(ctx, claim)
	})
	if errors.Is(err, linegate.ErrExhausted) {
		if err = p.without(claim.Slot, err); err == nil {
			return nil
		}
	}
	if err != nil {
		return err
	}
	fill(p.subscriber.Profile, claim.Slot, held.Prefix)
	p.service.Metadata.Allocations = append(withoutSlot(p.service.Metadata.Allocations, claim.Slot), held)
	return nil
}

func withoutSlot(all []linegate.Allocation, slot linegate.AddressSlot) (kept []linegate.Allocation) {
	for _, allocation := range all {
		if allocation.Slot != slot {
			kept = append(kept, allocation)
		}
	}
	return kept
}

func (e *Engine) allocate(ctx context.Context, claim linegate.AddressClaim) (linegate.Allocation, error) {
	book := e.options.Book
	record := linegate.AllocationRecord{Claim: claim, State: linegate.AllocationIntended, Updated: e.options.Now()}
	if err := book.PutAllocation(ctx, record); err != nil {
		return linegate.Allocation{}, err
	}
	held, err := e.options.Addresses.Allocate(ctx, claim)
	if err != nil {
		return linegate.Allocation{}, err
	}
	record.State, record.Allocation, record.Updated = linegate.AllocationHeld, held, e.options.Now()
	if err := book.PutAllocation(ctx, record); err != nil {
		return linegate.Allocation{}, err
	}
	if claim.Slot == linegate.SlotDelegatedPrefix {
		e.options.Observer.PrefixDelegated(claim.Tenant, held.Prefix.Bits())
	}
	return held, nil
}

// release gives back at once what a claim was given.
func (e *Engine) release(ctx context.Context, claim linegate.AddressClaim) error {
	if err := e.options.Addresses.Release(ctx, claim, false); err != nil {
		return err
	}
	return e.options.Book.DeleteAllocation(ctx, claim.Key)
}

// retire gives back what a service had, after the quarantine.
func (e *Engine) retire(ctx context.Context, claim linegate.AddressClaim, allocation linegate.Allocation, quarantine time.Duration) error {
	if quarantine <= 0 {
		return e.release(ctx, claim)
	}
	if err := e.options.Addresses.Release(ctx, claim, true); err != nil {
		return err
	}
	now := e.options.Now()
	return e.options.Book.PutAllocation(ctx, linegate.AllocationRecord{
		Claim: claim, State: linegate.AllocationQuarantined, Allocation: allocation, FreeAt: now.Add(quarantine), Updated: now,
	})
}

func claimOf(service linegate.Service, allocation linegate.Allocation) linegate.AddressClaim {
	return linegate.AddressClaim{Key: allocation.Key, Tenant: service.Tenant, Username: service.Username, Service: service.ID, Slot: allocation.Slot, Length: allocation.Prefix.Bits()}
}

// confirm marks the service's allocations as in use, once all works.
func (s *story) confirm(p *setup) error {
	addresses := s.engine.options.Addresses
	for _, held := range p.service.Metadata.Allocations {
		if _, err := do(s, inNetBox, "confirm "+string(held.Slot), func(ctx context.Context) (bool, error) {
			return true, addresses.Confirm(ctx, claimOf(p.service, held), held)
		}); err != nil {
			return err
		}
	}
	return nil
}

// provisionONU sets a service up where was is nil, and else turns was into it.
func (s *story) provisionONU(was *linegate.ONUService, wanted linegate.ONUService) error {
	onu := s.engine.options.ONU
	if was == nil {
		s.onUndo(inONU, "remove service", func(ctx context.Context) error { return onu.Remove(ctx, wanted) })
		_, err := do(s, inONU, "provision", func(ctx context.Context) (linegate.ONUResult, error) { return onu.Provision(ctx, wanted) })
		return err
	}
	before := *was
	if before == wanted {
		return nil
	}
	s.onUndo(inONU, "change back", func(ctx context.Context) error { _, err := onu.Change(ctx, wanted, before); return err })
	_, err := do(s, inONU, "change", func(ctx context.Context) (linegate.ONUResult, error) { return onu.Change(ctx, before, wanted) })
	return err
}

// configureCPE writes the settings and waits, for days if need be, until an
// offline CPE has them.
func (s *story) configureCPE(was *linegate.CPESettings, wanted linegate.CPESettings, expiry time.Duration) error {
	cpe := s.engine.options.CPE
	s.onUndo(inCPE, "take settings back", func(ctx context.Context) error {
		if was != nil && was.Device != wanted.Device || was == nil {
			if _, err := cpe.Remove(ctx, wanted); err != nil || was == nil {
				return err
			}
		}
		_, err := cpe.Apply(ctx, *was)
		return err
	})
	result, err := do(s, inCPE, "configure", func(ctx context.Context) (linegate.CPEResult, error) { return cpe.Apply(ctx, wanted) })
	if err != nil {
		return err
	}
	timing := s.engine.options.Timing
	if expiry <= 0 {
		expiry = timing.CPEExpiry
	}
	for waited := time.Duration(0); result.State == linegate.CPEWaiting; waited += timing.CPEPoll {
		if waited >= expiry {
			return fmt.Errorf("cpe: %s did not call in within %s: %w", wanted.Device, expiry, linegate.ErrRefused)
		}
		if err := s.sleep(timing.CPEPoll); err != nil {
			return err
		}
		result, err = do(s, inCPE, "await inform", func(ctx context.Context) (linegate.CPEResult, error) { return cpe.Await(ctx, wanted) })
		if err != nil {
			return err
		}
	}
	s.result.Warnings = append(s.result.Warnings, result.Warnings...)
	return nil
}

// push makes live sessions follow the profile. A NAS that says no does not undo
// anything: the profile rules from the next authentication on.
func (s *story) push(kind linegate.ChangeKind) error {
	changes := s.engine.options.Changes
	if changes == nil {
		s.warn("live sessions are not told: nothing here sends CoA")
		return nil
	}
	_, err := do(s, inSessions, string(kind), func(ctx context.Context) (int, error) {
		return changes.Push(ctx, s.order.Tenant, s.order.Username, kind)
	})
	if errors.Is(err, linegate.ErrRefused) || errors.Is(err, linegate.ErrUnsupported) {
		s.warn("live sessions go on as before until they authenticate again: %v", err)
		return nil
	}
	return err
}

// pushBack registers that live sessions are told again. It is registered before
// what changes the profile, since it has to run after the profile is restored.
func (s *story) pushBack(kind linegate.ChangeKind) {
	changes := s.engine.options.Changes
	if changes == nil {
		return
	}
	s.onUndo(inSessions, string(kind), func(ctx context.Context) error {
		_, err := changes.Push(ctx, s.order.Tenant, s.order.Username, kind)
		if errors.Is(err, linegate.ErrRefused) || errors.Is(err, linegate.ErrUnsupported) {
			return nil // it follows from its next authentication on
		}
		return err
	})
}

// record writes what later orders need to know.
func (s *story) record(was *linegate.Service, service linegate.Service) error {
	book := s.engine.options.Book
	if was == nil || was.ID != service.ID {
		s.onUndo(inStore, "forget service", func(ctx context.Context) error { return book.DeleteService(ctx, service.ID) })
	} else {
		before := *was
		s.onUndo(inStore, "restore service", func(ctx context.Context) error { return book.PutService(ctx, before) })
	}
	_, err := do(s, inStore, "record service", func(ctx context.Context) (bool, error) {
		return true, book.PutService(ctx, s.stamped(service))
	})
	return err
}

func (s *story) stamped(service linegate.Service) linegate.Service {
	service.Updated = s.engine.options.Now()
	return service
}

// describe puts the service into the order's result.
func (s *story) describe(p *setup) {
	profile := p.subscriber.Profile
	r := &s.result
	r.ServiceID, r.Warnings = p.service.ID, append(r.Warnings, p.warnings...)
	r.IPv4, r.IPv6 = profile.StaticIPv4, profile.StaticIPv6
	r.FramedIPv6Prefix, r.DelegatedIPv6Prefix, r.IPv6Mode = profile.FramedIPv6Prefix, profile.DelegatedIPv6Prefix, profile.IPv6Mode
	r.ServiceVLAN, r.InnerVLAN, r.QinQEnabled = profile.ServiceVLAN, profile.InnerVLAN, profile.QinQEnabled
	r.Source = linegate.SourceStatic
	if len(p.service.Metadata.Allocations) > 0 {
		r.Source = linegate.SourceDynamic
	}
	for _, held := range p.service.Metadata.Allocations {
		if held.Slot == linegate.SlotIPv4 {
			r.NetBoxIPID = held.ID
		}
	}
}

// complete fills the service's metadata in from the finished setup.
func (p *setup) complete() linegate.Service {
	service := p.service
	m := &service.Metadata
	m.NetworkProfile = linegate.NewServiceProfile(p.subscriber.Profile)
	m.AllocatedIPs = linegate.AllocatedIPs{}
	for _, held := range m.Allocations {
		switch held.Slot {
		case linegate.SlotIPv4:
			m.AllocatedIPs.IPv4 = held.Prefix.Addr()
		case linegate.SlotIPv6:
			m.AllocatedIPs.IPv6 = held.Prefix.Addr()
		case linegate.SlotFramedPrefix:
			m.AllocatedIPs.IPv6Prefix = held.Prefix
		case linegate.SlotDelegatedPrefix:
			m.AllocatedIPs.DelegatedIPv6Prefix = held.Prefix
		}
	}
	m.ONU, m.CPE = nil, nil
	if p.onu != nil {
		wanted := p.wantedONU()
		m.ONU = &wanted
	}
	if p.cpe != nil {
		wanted := p.wantedCPE()
		wanted.PPPPassword = "" // the subscriber's record has it, sealed
		m.CPE = &wanted
	}
	return service
}

// AllocatePrefix delegates a prefix apart from any order, and books it. The same
// key gets the same prefix.
func AllocatePrefix(ctx context.Context, options Options, claim linegate.AddressClaim) (linegate.Allocation, error) {
	if options.Addresses == nil {
		return linegate.Allocation{}, fmt.Errorf("no NetBox is configured: %w", linegate.ErrRefused)
	}
	e := &Engine{options: options.orDefault()}
	return e.allocate(ctx, claim)
}
